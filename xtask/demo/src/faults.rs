//! What is done to the cluster while the load runs, and the floor that no client can beat.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::failover::{Failover, FaultKind};
use crate::options::Options;
use crate::score::Score;
use crate::servers::{Probe, Servers};

type Failed = Box<dyn Error + Send + Sync>;

/// The pause between two attempts of the direct probe.
const PROBE_PAUSE: Duration = Duration::from_millis(1);
/// How long the direct probe tries.
const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// How long the killed instance stays away.
const AWAY: Duration = Duration::from_secs(2);

/// Carries out the faults at their times; returns when the cluster is whole again.
pub(crate) fn carry_out(kit: &Servers, score: &Score, options: &Options) -> Result<(), Failed> {
    let old = kit.writer();
    let heir = *kit.readers().first().ok_or("there is no reader to promote")?;
    fault(kit, score, FaultKind::Kill, heir, score.at(options.kill_at()))?;
    sleep_until(score.at(options.kill_at() + AWAY));
    score.note(format!("demo: {} comes back as a reader", kit.name(old)));
    kit.rejoin(old)?;

    let heir = *kit.readers().last().ok_or("there is no reader to promote")?;
    fault(kit, score, FaultKind::Switchover, heir, score.at(options.switchover_at()))
}

fn fault(
    kit: &Servers,
    score: &Score,
    kind: FaultKind,
    heir: usize,
    moment: Instant,
) -> Result<(), Failed> {
    let probe = kit.probe(heir, "demo_probe")?;
    sleep_until(moment);
    let (old, new) = (kit.name(kit.writer()), kit.name(heir));
    score.note(match kind {
        FaultKind::Kill => format!("demo: kill -9 of the writer {old}, promotion of {new}"),
        FaultKind::Switchover => format!("demo: planned switchover from {old} to {new}"),
    });
    let zero = Instant::now();
    score.fault(Failover::new(kind, zero, kit.address(heir).0));
    let floor = probe_until_written(probe, zero)?;
    match kind {
        FaultKind::Kill => kit.kill_and_promote(heir)?,
        FaultKind::Switchover => kit.switchover(heir)?,
    }
    let floor =
        floor.recv_timeout(PROBE_LIMIT).map_err(|_| "the direct probe got no write through")?;
    score.floor(floor);
    Ok(())
}

/// Tries to write on a connection to the future writer until it is the writer; the answer is
/// the time since `zero`.
///
/// The connection was opened before and stays open: a promotion turns its session into one that
/// may write. So this is the earliest moment at which any client could have written.
fn probe_until_written(mut write: Probe, zero: Instant) -> Result<Receiver<Duration>, Failed> {
    let (sender, receiver) = channel();
    let probe = move || {
        while zero.elapsed() < PROBE_LIMIT {
            if write() {
                // Nobody listens if the fault itself could not be carried out.
                let _ = sender.send(zero.elapsed());
                return;
            }
            thread::sleep(PROBE_PAUSE);
        }
    };
    thread::Builder::new().name("direct-probe".to_owned()).spawn(probe)?;
    Ok(receiver)
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Carries out the faults on a thread of their own; the receiver gets the result.
pub(crate) fn start(
    kit: Arc<Servers>,
    score: Arc<Score>,
    options: Options,
) -> std::io::Result<Receiver<Result<(), Failed>>> {
    let (sender, receiver) = channel();
    let work = move || drop(sender.send(carry_out(&kit, &score, &options)));
    thread::Builder::new().name("faults".to_owned()).spawn(work)?;
    Ok(receiver)
}
