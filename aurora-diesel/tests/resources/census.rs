//! What the process holds.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aurora_diesel::{Cluster, Config};
use test_kit::PgCluster;

/// The longest wait for anything that a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Lets one test of this program run at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts of the whole process, without what is r2d2's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Census {
    pub(crate) fn take() -> Self {
        // Those of r2d2 end at the next sweep of its idle connections (30 s) after their pool.
        let is_counted = |name: &String| !name.starts_with("r2d2-worker");
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        Self { threads: threads().into_iter().filter(is_counted).count(), descriptors }
    }

    fn is_within(self, baseline: Self) -> bool {
        self.threads <= baseline.threads && self.descriptors <= baseline.descriptors
    }

    /// Waits until the process holds no more than this; returns how long that took.
    #[track_caller]
    pub(crate) fn await_return(self, after: &str) -> Duration {
        let began = Instant::now();
        let is_back = test_kit::wait_until(LIMIT, || Self::take().is_within(self));
        let now = Self::take();
        assert!(is_back, "after {after}: {now:?}, before {self:?}: {:#?}", holdings());
        began.elapsed()
    }
}

/// The threads by name, and what the descriptors are.
fn holdings() -> Vec<String> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = descriptors.filter_map(|fd| fs::read_link(fd.path()).ok());
    let mut all = threads();
    all.extend(targets.map(|target| target.display().to_string()));
    all.sort();
    all
}

/// How much memory the process has in use.
pub(crate) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// How many of this process's threads have that name.
pub(crate) fn threads_called(name: &str) -> usize {
    threads().into_iter().filter(|found| found == name).count()
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// Servers with the table `ledger`.
pub(crate) fn servers(builder: test_kit::Builder) -> PgCluster {
    let kit = builder.start().unwrap();
    let table = "CREATE TABLE ledger (id bigint NOT NULL)";
    kit.client(kit.writer()).unwrap().batch_execute(table).unwrap();
    kit
}

/// A handle to all instances of the kit, which are online.
#[track_caller]
pub(crate) fn connect(kit: &PgCluster, options: &str) -> Cluster {
    let config = Config::from_url(&format!("{}?{options}", kit.url())).unwrap();
    let cluster = Cluster::connect_blocking(config).unwrap();
    eventually("all instances are online", || {
        let topology = cluster.topology();
        topology.writer().is_some() && topology.readers().len() + 1 == kit.len()
    });
    cluster
}

#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(test_kit::wait_until(LIMIT, condition), "not within {LIMIT:?}: {what}");
}

diesel::table! {
    ledger (id) {
        id -> BigInt,
    }
}
