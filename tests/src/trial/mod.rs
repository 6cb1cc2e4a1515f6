//! One fault, under the load of one adapter: what happens, and whether every promise is kept.

mod record;
mod verdict;
mod watch;

use std::ops::Deref;
use std::time::{Duration, Instant};

use test_kit::KitError;
use tokio::task::block_in_place;

use self::record::Record;
pub use self::verdict::Allowed;
use self::watch::Watch;
use crate::door::Open;
use crate::eventually;
use crate::load::{Load, Moments, Row, Score, score};
use crate::scene::Scene;
use crate::servers::{Servers, Setup};

/// How long a statement waits for a writer in a trial, unless the fault needs another time.
const FAILOVER_TIMEOUT: &str = "failover_timeout=10s";

/// A fault and the adapter it meets.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name of the test, which begins with the number in the catalogue: `a1_writer_crash`.
    pub fault: &'static str,
    /// The name of the adapter: `bb8`.
    pub adapter: &'static str,
    /// Makes its pool.
    pub open: Open,
}

/// A cluster, the library and a load, to which a fault happens.
#[derive(Debug)]
pub struct Trial<K: Servers> {
    /// What the workers do.
    pub load: Load,
    watch: Watch,
    record: Record,
    struck: Option<(Instant, usize)>,
    healed: Option<Healed>,
    scene: Scene<K>,
}

/// The moment from which on nothing may fail any more.
#[derive(Debug)]
struct Healed {
    since: Instant,
    /// How many writes each instance had been sent.
    writes: Vec<u64>,
}

impl<K: Servers> Deref for Trial<K> {
    type Target = Scene<K>;

    fn deref(&self) -> &Scene<K> {
        &self.scene
    }
}

impl Case {
    /// Three instances that lose nothing they acknowledged, under load.
    pub async fn trial<K: Servers>(self) -> Trial<K> {
        self.with(&Setup::of(3), FAILOVER_TIMEOUT).await
    }

    /// Three instances behind proxies, under load.
    pub async fn behind_proxies<K: Servers>(self) -> Trial<K> {
        self.with(&Setup::of(3).behind_proxies(), FAILOVER_TIMEOUT).await
    }

    /// Whether the adapter's calls block.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.adapter.ends_with("r2d2")
    }

    /// Whether the adapter is SeaORM's.
    #[must_use]
    pub fn is_seaorm(&self) -> bool {
        self.adapter.ends_with("seaorm")
    }

    /// Notes that this machine cannot bring the fault about, and prints why.
    pub fn skip(self, reason: &str) {
        println!("{} with {}: skipped: {reason}", self.fault, self.adapter);
        Record::begin(self.fault, self.adapter).skipped(reason);
    }

    /// Notes what a fault came to that needs no load: it held, and took so long to be over.
    pub fn held(self, ended: Duration) {
        let mut record = Record::begin(self.fault, self.adapter);
        record.figure("ended_ms", ended);
        record.held();
    }

    /// Instances as described, connected to with these options of the URL, under load.
    pub async fn with<K: Servers>(self, setup: &Setup, options: &str) -> Trial<K> {
        let record = Record::begin(self.fault, self.adapter);
        let scene = Scene::<K>::set_up(self.open, setup, options).await;
        let watch = Watch::start(&scene.cluster);
        let load = Load::start(&scene).await;
        Trial { load, watch, record, struck: None, healed: None, scene }
    }
}

impl<K: Servers> Trial<K> {
    /// Has the fault happen, to this instance in the first place; the clock starts here.
    pub fn strike<R>(&mut self, index: usize, fault: impl FnOnce(&K) -> Result<R, KitError>) {
        self.struck = Some((Instant::now(), index));
        block_in_place(|| fault(&self.kit)).unwrap();
    }

    /// [`Self::strike`] for a fault that takes several steps.
    pub async fn strike_in_steps(&mut self, index: usize, fault: impl AsyncFnOnce(&Self)) {
        self.struck = Some((Instant::now(), index));
        fault(self).await;
    }

    /// Waits until the library sees `writer` and so many readers; from then on nothing may fail.
    pub async fn recovers(&mut self, writer: usize, readers: usize) {
        self.await_roles(writer, readers);
        self.healed = Some(Healed { since: Instant::now(), writes: self.writes() });
        self.load.goes_on().await;
    }

    /// Waits until the library has noticed that the instance restarted: its epoch has risen.
    #[track_caller]
    pub fn await_restart(&self, index: usize, epoch: u64) {
        block_in_place(|| {
            eventually("the restart is noticed", || self.instance(index).epoch() > epoch);
        });
    }

    /// Nobody but this instance was ever taken for the writer.
    #[track_caller]
    pub fn assert_writer_stayed(&self, index: usize) {
        let others = self.watch.other_writers(&self.id(index));
        assert!(others.is_empty(), "the writer changed: {others:?}");
    }

    /// Everything that the library told about, in order.
    #[must_use]
    pub fn told(&self) -> Vec<aurora_core::Event> {
        self.watch.told()
    }

    /// Every failure so far, in words.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let operations = self.load.log.operations();
        let failed = operations.iter().filter_map(|operation| {
            let failure = operation.failure.as_ref()?;
            Some(format!("worker {}, {:?}: {failure}", operation.worker, operation.kind))
        });
        failed.collect()
    }

    /// Ends the load and asserts that all promises were kept and all connections are well; what
    /// happened goes into the record.
    pub async fn finish(mut self, allowed: Allowed) {
        let hanging = self.load.stop().await;
        let (score, problems) = self.judge(hanging, &allowed);
        self.record.note(&score, self.detection(), self.connects(), &problems);
        assert!(problems.is_empty(), "{problems:#?}\n{score:#?}\n{:#?}", self.errors());
        self.scene.assert_usable().await;
        self.scene.assert_clean().await;
        self.scene.assert_no_leak().await;
        self.record.held();
    }

    fn judge(&self, hanging: usize, allowed: &Allowed) -> (Score, Vec<String>) {
        let (fault, _) = self.struck.expect("a fault happened");
        let healed = self.healed.as_ref().expect("and was healed");
        let operations = self.load.log.operations();
        let rows = block_in_place(|| self.rows());
        let moments = Moments { fault, writer_known: self.watch.writer_known(fault) };
        let score = score(&operations, rows, moments);
        let mut problems = allowed.problems(&score, self.deadline());
        problems.extend((hanging > 0).then(|| format!("{hanging} workers hang")));
        problems.extend(verdict::failed_since(&operations, healed.since));
        problems.extend(verdict::secrets(&operations));
        for (index, (before, now)) in healed.writes.iter().zip(self.writes()).enumerate() {
            if index != self.kit.writer() && now > *before {
                problems.push(format!("{} writes were sent to reader {index}", now - before));
            }
        }
        (score, problems)
    }

    /// When the library told that something is wrong with the instance, after the fault.
    fn detection(&self) -> Option<Duration> {
        let (fault, index) = self.struck?;
        self.watch.noticed(&self.id(index), fault).map(|moment| moment - fault)
    }

    fn rows(&self) -> Vec<Row> {
        let sql = "SELECT concat_ws(' ', id, session) FROM deeds";
        let row = |line: &String| {
            let (id, session) = line.split_once(' ').unwrap();
            (id.parse().unwrap(), session.to_owned())
        };
        self.kit.texts(self.kit.writer(), sql).iter().map(row).collect()
    }

    /// How many writes each instance was sent; none for those that are not known.
    fn writes(&self) -> Vec<u64> {
        let status = self.cluster.status();
        let indices = 0..self.kit.count();
        let writes = |index| {
            let id = self.id(index);
            let found = status.instances.iter().find(|instance| instance.instance == id);
            found.map_or(0, |instance| instance.writes)
        };
        indices.map(writes).collect()
    }

    /// The longest that an operation may take: a session of the pool, a writer, a connection to
    /// it, and then the time after which silence is noticed. Some is added for a busy machine.
    fn deadline(&self) -> Duration {
        const SLACK: Duration = Duration::from_secs(3);
        let config = self.cluster.config();
        let waits = crate::doors::PATIENCE + config.failover_timeout() + config.connect_timeout();
        waits + config.detection_time() + SLACK
    }
}
