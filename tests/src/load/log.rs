//! What the workers of a load did, and when.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::door::Failure;

/// What a worker does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads all items, outside of a transaction.
    Read,
    /// Writes two rows in a transaction, and looks at the first in between.
    Transaction,
    /// Writes a row, outside of a transaction.
    Write,
}

/// What a worker did once, from the check-out to the check-in.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who did it.
    pub worker: usize,
    /// What it was.
    pub kind: Kind,
    /// The row it wrote; a transaction also wrote the next one.
    pub id: i64,
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// All operations that have ended.
#[derive(Debug, Default)]
pub struct Log {
    ids: AtomicI64,
    stopped: AtomicBool,
    workers: Mutex<Vec<(Kind, usize)>>,
    operations: Mutex<Vec<Operation>>,
}

impl Log {
    /// Tells the workers to end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Everything so far, in the order in which it ended.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        guarded(&self.operations).clone()
    }

    /// Everything since the last time, for a load that goes on for so long that it is judged in
    /// pieces.
    #[must_use]
    pub fn take_operations(&self) -> Vec<Operation> {
        std::mem::take(&mut guarded(&self.operations))
    }

    /// What every worker does, and how often it has succeeded.
    #[must_use]
    pub fn successes(&self) -> Vec<(Kind, usize)> {
        guarded(&self.workers).clone()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// A number for a worker.
    pub(super) fn enlist(&self, kind: Kind) -> usize {
        let mut workers = guarded(&self.workers);
        workers.push((kind, 0));
        workers.len() - 1
    }

    /// Two numbers that no other operation has: this and the next one.
    pub(super) fn take_ids(&self) -> i64 {
        self.ids.fetch_add(2, Ordering::Relaxed)
    }

    pub(super) fn note(&self, operation: Operation) {
        if operation.failure.is_none() {
            guarded(&self.workers)[operation.worker].1 += 1;
        }
        guarded(&self.operations).push(operation);
    }
}

fn guarded<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
