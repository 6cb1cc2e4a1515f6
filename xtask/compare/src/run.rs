//! One run: one ORM, one fault, one new cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use test_kit::wait_until;

use crate::faults;
use crate::load::{Crew, Log};
use crate::options::{Adapter, Engine, Fault};
use crate::progress::Progress;
use crate::report::Row;
use crate::score::{Moments, score};
use crate::stacks::{self, Failed};
use crate::stand::Stand;

/// How long the stacks run before the fault.
const STEADY: Duration = Duration::from_secs(5);
/// How long the workers may take to end.
const GOODBYE: Duration = Duration::from_secs(2);
/// The pause between two live lines.
const FRAME: Duration = Duration::from_millis(500);

/// Runs all stacks of one ORM through one fault.
pub(crate) fn run(
    (engine, adapter): (Engine, Adapter),
    fault: Fault,
    observed: Duration,
    progress: &mut Progress,
) -> Result<Vec<Row>, Failed> {
    progress.line(format!("  starting three {engine} servers on loopback addresses"));
    let stand = Arc::new(Stand::start(engine, fault)?);
    let stacks = stacks::open(engine, adapter, &stand.urls())?;
    let names: Vec<&str> = stacks.iter().map(|stack| stack.name()).collect();
    progress.line(format!("  {} write to it", names.join(", ")));
    let crews = stacks.into_iter().map(Crew::start).collect::<Result<Vec<_>, _>>()?;
    watch(&crews, "before the fault", Instant::now() + STEADY, progress);
    check_steady(&crews)?;

    progress.line(format!("  {}; observing for {:.0} s", deed(fault), observed.as_secs_f64()));
    let struck = faults::strike(&stand)?;
    watch(&crews, "after the fault", struck.zero + observed, progress);
    // The logs first: what is acknowledged later may not be in the tables when they are read.
    let end = Instant::now();
    let logs: Vec<Vec<Log>> = crews.iter().map(Crew::logs).collect();
    let moments = Moments {
        fault: struck.zero,
        writer_known: struck.writer_known()?,
        end,
        writer: stand.heir_address,
    };
    let known = moments.writer_known.saturating_duration_since(moments.fault);
    progress.line(format!("  the new writer took its first write after {} ms", known.as_millis()));
    let mut rows = Vec::new();
    for (crew, logs) in crews.iter().zip(&logs) {
        let found = stand.kit.count(crew.stack.table())?;
        progress.line(format!("  {:<18} {}", crew.stack.name(), summary(logs)));
        let score = score(logs, &moments, &found);
        rows.push(Row { engine, adapter, stack: crew.stack.name(), fault, score });
    }
    dismiss(&crews);
    Ok(rows)
}

/// Waits for the workers that do end, so that they do not burden the next run.
fn dismiss(crews: &[Crew]) {
    crews.iter().for_each(Crew::stop);
    // Those that hang are left behind.
    let _ = wait_until(GOODBYE, || crews.iter().all(Crew::is_gone));
}

/// What is done, for the human who watches.
fn deed(fault: Fault) -> &'static str {
    match fault {
        Fault::Kill => "kill -9 of the writer, promotion of a reader",
        Fault::Blackhole => "the writer vanishes from the network, promotion of a reader",
        Fault::Switchover => "planned switchover, the old writer comes back as a reader",
    }
}

/// Waits until then, and shows how the stacks fare.
fn watch(crews: &[Crew], when: &str, until: Instant, progress: &mut Progress) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let each = crews.iter().map(|crew| {
            let (acknowledged, failed) = crew.counts();
            format!("{}: {acknowledged} written, {failed} failed", crew.stack.name())
        });
        let each: Vec<String> = each.collect();
        progress.live(format!(
            "  {when}, {:2.0} s left   {}",
            left.as_secs_f64(),
            each.join("   ")
        ));
        thread::sleep(left.min(FRAME));
    }
}

/// A comparison is worth nothing if a stack does not work to begin with.
fn check_steady(crews: &[Crew]) -> Result<(), Failed> {
    for crew in crews {
        if crew.counts().0 == 0 {
            let (name, logs) = (crew.stack.name(), crew.logs());
            return Err(format!("{name} fails before the fault: {}", summary(&logs)).into());
        }
    }
    Ok(())
}

/// How many writes there were, and the error that came most often.
fn summary(logs: &[Log]) -> String {
    let writes = || logs.iter().flat_map(|log| &log.writes);
    let mut errors: HashMap<&str, usize> = HashMap::new();
    for failure in writes().filter_map(|write| write.result.as_ref().err()) {
        *errors.entry(failure.message.lines().next().unwrap_or_default()).or_default() += 1;
    }
    let acknowledged = writes().filter(|write| write.result.is_ok()).count();
    let text = format!("{acknowledged} of {} writes acknowledged", writes().count());
    match errors.iter().max_by_key(|(_, times)| **times) {
        None => text,
        Some((message, times)) => format!("{text}; {times} times: {message}"),
    }
}
