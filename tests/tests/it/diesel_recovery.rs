//! What an application sees of a fault: nothing, or one honest error.

mod limits;
mod readers;
mod sessions;
mod transactions;
mod writers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aurora_tests::ledger::Ledger;
use aurora_tests::{Sessions, eventually, items};
use diesel::prelude::*;

/// How many threads make load.
const THREADS: usize = 8;

/// Reads that were tried, while the ledger is not stopped.
#[derive(Default)]
struct Reads {
    done: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Reads {
    fn run(&self, pool: &Sessions, ledger: &Ledger) {
        while !ledger.is_stopped() {
            let rows = items::table.load::<(i32, String)>(&mut pool.get().unwrap());
            match rows {
                Ok(rows) => assert_eq!(rows.len(), 3),
                Err(error) => self.failed.lock().unwrap().push(error.to_string()),
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until each thread, on average, has read a number of times more.
    #[track_caller]
    fn go_on(&self) {
        let goal = self.done.load(Ordering::Relaxed) + 20 * THREADS;
        eventually("reads go on", || self.done.load(Ordering::Relaxed) > goal);
    }

    #[track_caller]
    fn assert_none_failed(&self) {
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{} of {:?}: {failed:#?}", failed.len(), self.done);
    }
}

/// Stops the load also when the test fails in the middle of it.
struct StopOnDrop<'a>(&'a Ledger);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Waits until writes are acknowledged again.
#[track_caller]
fn writes_go_on(ledger: &Ledger) {
    let goal = ledger.acknowledged() + 10 * THREADS;
    eventually("writes go on", || ledger.acknowledged() > goal);
}
