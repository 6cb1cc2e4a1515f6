//! A crowd that waits for a writer, and how soon all of it is served.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aurora_benches::Failure;
use aurora_diesel::Cluster;
use aurora_measure::{Figure, Goal, Report};
use test_kit::{PgCluster, wait_until};

use super::doors::Write;

/// How many wait.
pub(crate) const WAITERS: u32 = 500;
/// Connects per second to one instance, by default, and how many of them go at once.
const RATE: u32 = 100;
const AT_ONCE: u32 = 8;
/// The monitor's connections to one instance: the one it keeps, and those it opens beside.
const MONITOR: u32 = 3;
const LIMIT: Duration = Duration::from_secs(30);
/// Each waiter's thread; there are many.
const STACK: usize = 512 * 1024;

/// The figures of one adapter.
pub(crate) fn names(door: &str) -> [String; 3] {
    ["first to last served", "connects in a second", "writes that failed"]
        .map(|what| format!("{WAITERS} waiters, {door}: {what}"))
}

/// Kills the writer, lets a crowd gather, promotes a reader.
pub(crate) fn measure(
    report: &Report,
    door: &str,
    kit: &PgCluster,
    cluster: &Cluster,
    write: &Write,
) -> Result<(), Failure> {
    let old = kit.writer();
    let heir = *kit.readers().first().ok_or("there is no reader to promote")?;
    kit.kill(old)?;
    if !wait_until(LIMIT, || cluster.topology().writer().is_none()) {
        return Err("the writer was not found to be lost".into());
    }
    let begun = AtomicU32::new(0);
    let wait = || {
        begun.fetch_add(1, Ordering::Relaxed);
        let written = write(0).map_err(|error| error.to_string());
        (Instant::now(), written)
    };
    let (served, errors) = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, wait);
        let threads = (0..WAITERS).map(spawn).collect::<Result<Vec<_>, _>>()?;
        // Those that have begun find no writer: they wait, or are about to.
        if !wait_until(LIMIT, || begun.load(Ordering::Relaxed) == WAITERS) {
            return Err("not all waiters began".into());
        }
        kit.proxy(heir).forget_peaks();
        kit.promote(heir)?;
        let mut served = Vec::new();
        let mut errors = Vec::new();
        for thread in threads {
            let (at, written) = thread.join().map_err(|_| "a waiter panicked")?;
            served.push(at);
            errors.extend(written.err());
        }
        Ok::<_, Failure>((served, errors))
    })?;
    let peak = kit.proxy(heir).stats().most_accepted_in_a_second;
    kit.rejoin(old)?;
    errors.iter().take(3).for_each(|error| eprintln!("  {door}: {error}"));
    let span = served.iter().max().zip(served.iter().min()).map(|(last, first)| *last - *first);
    tell(report, door, span.unwrap_or_default(), peak, errors.len());
    Ok(())
}

fn tell(report: &Report, door: &str, span: Duration, peak: usize, failed: usize) {
    let [spread, connects, errors] = names(door);
    // Nobody waits longer than it takes to open a connection for each.
    let ramp = f64::from(WAITERS - AT_ONCE) / f64::from(RATE);
    let spread = Figure::new(spread, "ms", span.as_secs_f64() * 1e3);
    report.add(&spread.with_goal(Goal::AtMost(ramp * 1e3)));
    let most = f64::from(RATE + AT_ONCE + MONITOR);
    report.add(&Figure::new(connects, "", peak as f64).with_goal(Goal::AtMost(most)));
    report.add(&Figure::new(errors, "", failed as f64).with_goal(Goal::AtMost(0.0)));
}
