//! Kills and switchovers under load: when the first write gets through, beside a direct probe.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aurora_benches::{Failure, faults};
use aurora_diesel::Cluster;
use aurora_measure::{Figure, Goal, Report};
use test_kit::PgCluster;

use super::Open;
use super::doors::Write;

/// Threads that write all the time.
pub(crate) const THREADS: u32 = 8;
/// How much later than a direct probe the first write may be, in milliseconds.
const LATER: f64 = 10.0;
/// How many connects to one instance may fail for one fault.
const FAILED: f64 = 10.0;
/// The pause between two attempts of the direct probe.
const PROBE_PAUSE: Duration = Duration::from_millis(1);
/// How long a write may take to get through after a fault.
const LIMIT: Duration = Duration::from_secs(30);
/// After a write that failed: an application whose request failed does not come back at once.
const AFTER_FAILURE: Duration = Duration::from_millis(1);

/// What is done to the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Switchover,
}

impl Fault {
    const ALL: [(Self, &str); 2] = [(Self::Kill, "kill"), (Self::Switchover, "switchover")];
}

/// The figures of one adapter.
pub(crate) fn names(door: &str) -> [String; 8] {
    let [kill, switchover] = Fault::ALL.map(|(_, word)| {
        ["first write, median", "later than a probe, median", "later than a probe, worst"]
            .map(|what| format!("after a {word}, {door}: {what}"))
    });
    let connects = ["failed connects", "failed probes of the monitor"]
        .map(|what| format!("after a fault, {door}: {what} at most"));
    let mut all = kill.into_iter().chain(switchover).chain(connects);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

/// What one fault cost, in milliseconds since it came.
#[derive(Clone, Copy, Debug)]
struct Cost {
    first_write: f64,
    probe: f64,
}

/// Which write is awaited, and when it ended.
#[derive(Debug, Default)]
struct Awaited(Mutex<Option<(Instant, IpAddr, mpsc::Sender<Instant>)>>);

impl Awaited {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, IpAddr, mpsc::Sender<Instant>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first write that begins from now on and is acknowledged by `heir`.
    fn begin(&self, zero: Instant, heir: IpAddr) -> mpsc::Receiver<Instant> {
        let (sender, receiver) = mpsc::channel();
        *self.lock() = Some((zero, heir, sender));
        receiver
    }

    fn acknowledged(&self, ended: Instant, instance: IpAddr) {
        let mut awaited = self.lock();
        if let Some((_, _, sender)) =
            awaited.take_if(|(zero, heir, _)| ended > *zero && *heir == instance)
        {
            // Nobody listens if the fault itself could not be carried out.
            let _ = sender.send(ended);
        }
    }
}

/// Brings faults about in turn while everybody writes.
///
/// Each fault meets a cluster of its own: one that has seen trouble in the last ten seconds takes the
/// next for the same, and asks less and less often, as it must in a crash loop.
pub(crate) fn measure(
    report: &Report,
    door: &str,
    kit: &PgCluster,
    open: Open,
) -> Result<(), Failure> {
    let (mut found, failed) = (Found::default(), AtomicU32::new(0));
    for _ in 0..faults()? {
        for (fault, _) in Fault::ALL {
            let cluster = super::connect(kit)?;
            let write = open(&cluster, THREADS)?;
            let brought = under_load(&write, &failed, |awaited| {
                found.bring_about(kit, &cluster, fault, awaited)
            });
            brought.map_err(|error| format!("{door}: {error}"))?;
            cluster.close();
        }
    }
    eprintln!("  {door}: {} writes failed that were under way", failed.into_inner());
    tell(report, door, &found);
    Ok(())
}

/// Does `work` while all threads write.
fn under_load<T>(write: &Write, failed: &AtomicU32, work: impl FnOnce(&Awaited) -> T) -> T {
    let (awaited, over) = (Awaited::default(), AtomicBool::new(false));
    let load = || {
        for item in 0.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            match write(item) {
                Ok(instance) => awaited.acknowledged(Instant::now(), instance),
                Err(_) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(AFTER_FAILURE);
                }
            }
        }
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(load)));
        let done = work(&awaited);
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// What all faults cost.
#[derive(Debug, Default)]
struct Found {
    costs: Vec<(Fault, Cost)>,
    /// The most connects to one instance that failed for one fault: the adapter's, the monitor's.
    failed: [u64; 2],
}

impl Found {
    fn bring_about(
        &mut self,
        kit: &PgCluster,
        cluster: &Cluster,
        fault: Fault,
        awaited: &Awaited,
    ) -> Result<(), Failure> {
        let before = failed_connects(cluster);
        self.costs.push((fault, one(kit, fault, awaited)?));
        super::settled(kit, cluster)?;
        for (name, after) in failed_connects(cluster) {
            let before = before.get(&name).copied().unwrap_or_default();
            for (most, (after, before)) in self.failed.iter_mut().zip(after.into_iter().zip(before))
            {
                *most = (*most).max(after.saturating_sub(before));
            }
        }
        Ok(())
    }
}

/// One fault; the cluster is whole again afterwards.
fn one(kit: &PgCluster, fault: Fault, awaited: &Awaited) -> Result<Cost, Failure> {
    let old = kit.writer();
    let heir = *kit.readers().first().ok_or("there is no reader to promote")?;
    let mut client = kit.client(heir)?;
    let zero = Instant::now();
    let first_write = awaited.begin(zero, kit.address(heir).0);
    // A session from before becomes one that may write: nobody can write earlier.
    let probe = thread::spawn(move || {
        while client.batch_execute("INSERT INTO events (item) VALUES (0)").is_err() {
            if zero.elapsed() > LIMIT {
                return Err("the direct probe got no write through");
            }
            thread::sleep(PROBE_PAUSE);
        }
        Ok(Instant::now())
    });
    match fault {
        Fault::Kill => kit.kill_and_promote(heir)?,
        Fault::Switchover => kit.switchover(heir)?,
    }
    let probe = probe.join().map_err(|_| "the direct probe panicked")??;
    let first_write = first_write.recv_timeout(LIMIT).map_err(|_| "no write got through")?;
    if fault == Fault::Kill {
        kit.rejoin(old)?;
    }
    let [first_write, probe] =
        [first_write, probe].map(|at| at.duration_since(zero).as_secs_f64() * 1e3);
    Ok(Cost { first_write, probe })
}

/// How many connects to each instance have failed so far: the adapter's, and the monitor's.
fn failed_connects(cluster: &Cluster) -> HashMap<String, [u64; 2]> {
    let topology = cluster.topology();
    let of = |instance: &aurora_diesel::aurora_core::Instance| {
        let stats = instance.stats();
        (instance.id().to_string(), [stats.failed_connects(), stats.failed_probes()])
    };
    topology.instances().iter().map(of).collect()
}

fn tell(report: &Report, door: &str, found: &Found) {
    let names = names(door);
    for (index, (fault, _)) in Fault::ALL.into_iter().enumerate() {
        let costs = || found.costs.iter().filter(|(of, _)| *of == fault).map(|(_, cost)| cost);
        let later = || sorted(costs().map(|cost| cost.first_write - cost.probe));
        let [median, beyond, worst] = [0, 1, 2].map(|n| &names[3 * index + n]);
        let first = Figure::new(median, "ms", middle(&sorted(costs().map(|c| c.first_write))));
        report.add(&first.beside(middle(&sorted(costs().map(|cost| cost.probe)))));
        let goal = Goal::AtMost(LATER);
        report.add(&Figure::new(beyond, "ms", middle(&later())).with_goal(goal));
        report.add(&Figure::new(worst, "ms", later().last().copied().unwrap_or(f64::NAN)));
    }
    let [connects, probes] = found.failed.map(|count| count as f64);
    report.add(&Figure::new(&names[6], "", connects).with_goal(Goal::AtMost(FAILED)));
    report.add(&Figure::new(&names[7], "", probes));
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
