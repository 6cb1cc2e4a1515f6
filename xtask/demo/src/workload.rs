//! The threads of the application.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use aurora_core::Outcome;

use crate::adapters::{Adapter, Failure, Transfer};
use crate::ledger::{Entry, Id, Kind};
use crate::score::{Began, Score};
use crate::stage::SCALE;

/// The pause after an operation: the demo shows failovers, not how busy a machine can be.
const THINK: Duration = Duration::from_millis(1);
/// One write of this many is a single INSERT in autocommit mode.
const SINGLE: u32 = 5;
/// Rows of pgbench's tables for each unit of scale (pgbench's documentation, "What is the
/// "Transaction" Actually Performed in pgbench?").
const ACCOUNTS: i32 = 100_000;
const TELLERS: i32 = 10;

/// Starts one thread: those with an even number write, the others read. Each sends its entries
/// of the ledger when it ends.
pub(crate) fn start(
    worker: u16,
    adapter: Arc<dyn Adapter>,
    score: Arc<Score>,
    ended: Sender<Vec<Entry>>,
) -> std::io::Result<()> {
    let work = move || {
        let entries = if worker.is_multiple_of(2) {
            write(worker, &*adapter, &score)
        } else {
            read(worker, &*adapter, &score);
            Vec::new()
        };
        // Nobody listens if the demo has given up.
        let _ = ended.send(entries);
    };
    thread::Builder::new().name(format!("worker-{worker}")).spawn(work).map(drop)
}

fn write(worker: u16, adapter: &dyn Adapter, score: &Score) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut sequence = 0;
    while !score.is_stopped() {
        sequence += 1;
        let transfer = transfer(worker, sequence);
        let began = Began { at: Instant::now(), worker };
        let result = match transfer.id.kind {
            Kind::Single => adapter.insert(&transfer),
            Kind::Transaction => adapter.transfer(&transfer),
        };
        let told = match result {
            Ok(instance) => {
                score.written(began, instance);
                Outcome::Applied
            }
            Err(failure) => {
                complain(score, began, transfer.id, &failure);
                failure.outcome
            }
        };
        entries.push(Entry { id: transfer.id, delta: transfer.delta, told });
        if told == Outcome::Applied {
            thread::sleep(THINK);
        }
    }
    entries
}

fn read(worker: u16, adapter: &dyn Adapter, score: &Score) {
    while !score.is_stopped() {
        let began = Began { at: Instant::now(), worker };
        match adapter.balance(fastrand::i32(1..=ACCOUNTS * SCALE)) {
            Ok(instance) => score.read(instance),
            Err(failure) => {
                score.failed_reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                score.failed(began, "read", &failure);
            }
        }
        thread::sleep(THINK);
    }
}

/// A new transfer. A single INSERT moves no money: it would have to change four tables.
fn transfer(worker: u16, sequence: u32) -> Transfer {
    let kind = if sequence.is_multiple_of(SINGLE) { Kind::Single } else { Kind::Transaction };
    Transfer {
        id: Id { kind, worker, sequence },
        account: fastrand::i32(1..=ACCOUNTS * SCALE),
        teller: fastrand::i32(1..=TELLERS * SCALE),
        branch: fastrand::i32(1..=SCALE),
        delta: match kind {
            Kind::Single => 0,
            Kind::Transaction => fastrand::i32(-5000..=5000),
        },
    }
}

fn complain(score: &Score, began: Began, id: Id, failure: &Failure) {
    let (counter, what) = match failure.outcome {
        Outcome::Unknown => (&score.unknown, "write"),
        Outcome::NotApplied => (&score.not_applied, "write"),
        Outcome::Applied => (&score.acknowledged, "write, applied"),
    };
    counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    score.failed(began, &format!("{what} {id}"), failure);
}
