//! What is counted while the load runs, shared by all threads.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::adapters::Failure;
use crate::failover::Failover;

/// The counters of one run.
#[derive(Debug)]
pub(crate) struct Score {
    pub(crate) places: Vec<Place>,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) not_applied: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) failed_reads: AtomicU64,
    pub(crate) refused_read_only: AtomicU64,
    pub(crate) refused_after_writer_known: AtomicU64,
    pub(crate) other_errors: AtomicU64,
    stop: AtomicBool,
    start: Instant,
    /// Since when the cluster handle knows the writer of now.
    writer_known: Mutex<Option<Instant>>,
    failovers: Mutex<Vec<Failover>>,
    journal: Mutex<Vec<(Duration, String)>>,
}

/// One instance of the cluster.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
}

/// When an operation began and which thread runs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    pub(crate) at: Instant,
    pub(crate) worker: u16,
}

impl Score {
    pub(crate) fn new(instances: impl IntoIterator<Item = (String, IpAddr)>) -> Self {
        let place = |(name, address)| Place {
            name,
            address,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        };
        Self {
            places: instances.into_iter().map(place).collect(),
            acknowledged: AtomicU64::new(0),
            not_applied: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            failed_reads: AtomicU64::new(0),
            refused_read_only: AtomicU64::new(0),
            refused_after_writer_known: AtomicU64::new(0),
            other_errors: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            start: Instant::now(),
            writer_known: Mutex::new(None),
            failovers: Mutex::default(),
            journal: Mutex::default(),
        }
    }

    /// The time since the load began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment that long after the load began.
    pub(crate) fn at(&self, offset: Duration) -> Instant {
        self.start + offset
    }

    /// Tells all threads to end with the operation they are in.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// A read was served.
    pub(crate) fn read(&self, instance: IpAddr) {
        if let Some(place) = self.place(instance) {
            place.reads.fetch_add(1, Relaxed);
        }
    }

    /// A write was acknowledged.
    pub(crate) fn written(&self, began: Began, instance: IpAddr) {
        let now = Instant::now();
        self.acknowledged.fetch_add(1, Relaxed);
        if let Some(place) = self.place(instance) {
            place.writes.fetch_add(1, Relaxed);
        }
        if let Some(failover) = lock(&self.failovers).last_mut() {
            failover.acknowledged(began.at, now, instance);
        }
    }

    /// An operation failed.
    pub(crate) fn failed(&self, began: Began, what: &str, failure: &Failure) {
        let now = Instant::now();
        if failure.read_only {
            self.refused_read_only.fetch_add(1, Relaxed);
            if lock(&self.writer_known).is_some_and(|known| began.at > known) {
                self.refused_after_writer_known.fetch_add(1, Relaxed);
            }
        }
        let mut failovers = lock(&self.failovers);
        let during = failovers.last_mut().is_some_and(|last| last.failed(now, began.worker));
        drop(failovers);
        if !during {
            self.other_errors.fetch_add(1, Relaxed);
        }
        let outcome = failure.outcome;
        self.note(format!("thread {}: {what}: {outcome:?}: {}", began.worker, failure.message));
    }

    /// A fault begins now: from here on another writer has to be found.
    pub(crate) fn fault(&self, failover: Failover) {
        *lock(&self.writer_known) = None;
        lock(&self.failovers).push(failover);
    }

    /// The floor of the last fault was measured.
    pub(crate) fn floor(&self, floor: Duration) {
        if let Some(failover) = lock(&self.failovers).last_mut() {
            failover.floor = Some(floor);
        }
    }

    /// The cluster handle announced a writer, or that there is none.
    pub(crate) fn writer_known(&self, known: bool) {
        *lock(&self.writer_known) = known.then(Instant::now);
    }

    /// Writes a line into the journal.
    pub(crate) fn note(&self, line: impl Into<String>) {
        // Messages of servers can have several lines.
        let line = line.into().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        lock(&self.journal).push((self.elapsed(), line));
    }

    /// The journal from the line of that number on.
    pub(crate) fn journal_from(&self, first: usize) -> Vec<(Duration, String)> {
        lock(&self.journal).get(first..).unwrap_or_default().to_vec()
    }

    pub(crate) fn failovers(&self) -> Vec<Failover> {
        lock(&self.failovers).clone()
    }

    /// Reads and writes of each instance so far.
    pub(crate) fn counts(&self) -> Vec<(u64, u64)> {
        let both = |place: &Place| (place.reads.load(Relaxed), place.writes.load(Relaxed));
        self.places.iter().map(both).collect()
    }

    fn place(&self, instance: IpAddr) -> Option<&Place> {
        self.places.iter().find(|place| place.address == instance)
    }
}

/// A thread that panicked leaves counters that are still worth showing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use aurora_core::Outcome;

    use super::*;
    use crate::failover::FaultKind;

    #[test]
    fn a_refusal_counts_as_late_only_if_the_operation_began_when_the_writer_was_known() {
        let score = Score::new([]);
        let refused =
            Failure { outcome: Outcome::NotApplied, read_only: true, message: String::new() };
        let early = Began { at: Instant::now(), worker: 0 };
        score.writer_known(true);
        score.failed(early, "write", &refused);
        assert_eq!(score.refused_after_writer_known.load(Relaxed), 0);
        let late = Began { at: Instant::now() + Duration::from_millis(1), worker: 0 };
        score.failed(late, "write", &refused);
        assert_eq!(score.refused_after_writer_known.load(Relaxed), 1);
        score.fault(Failover::new(FaultKind::Kill, Instant::now(), [127, 0, 0, 2].into()));
        score.failed(late, "write", &refused);
        assert_eq!(score.refused_after_writer_known.load(Relaxed), 1);
        assert_eq!(score.refused_read_only.load(Relaxed), 3);
        assert_eq!(score.other_errors.load(Relaxed), 2);
    }
}
