//! What the adapters count on each instance, without locks on the statement path.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::gate::Gate;

/// Counters of one instance, shared by every snapshot that names it.
///
/// Aligned so that two instances never share a cache line.
#[derive(Debug)]
#[repr(align(128))]
pub struct InstanceStats {
    /// Statements begun; those that have not ended are in flight.
    begun: AtomicU64,
    queries: AtomicU64,
    writes: AtomicU64,
    errors: AtomicU64,
    connections: AtomicU64,
    connects: AtomicU64,
    failed_connects: AtomicU64,
    failed_probes: AtomicU64,
    breaks: AtomicU64,
    latency_nanos: AtomicU64,
    /// When the youngest statement that succeeded had begun, in nanoseconds since `since`.
    served_nanos: AtomicU64,
    since: Instant,
    /// The way to new connections.
    gate: Gate,
}

/// Counts one statement in flight; finish it with [`InFlight::succeeded`] or drop it on failure.
#[derive(Debug)]
#[must_use = "dropping it at once counts a failed statement"]
pub struct InFlight<'a> {
    stats: &'a InstanceStats,
    started: Instant,
    succeeded: bool,
}

impl InstanceStats {
    /// Counters that begin at `now`.
    #[must_use]
    pub(crate) fn new(now: Instant) -> Self {
        let zero = AtomicU64::default;
        Self {
            begun: zero(),
            queries: zero(),
            writes: zero(),
            errors: zero(),
            connections: zero(),
            connects: zero(),
            failed_connects: zero(),
            failed_probes: zero(),
            breaks: zero(),
            latency_nanos: zero(),
            served_nanos: zero(),
            since: now,
            gate: Gate::new(),
        }
    }

    /// The way to new connections of the instance.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// When the youngest statement that succeeded had begun: the instance was alive after that.
    #[must_use]
    pub(crate) fn served_at(&self) -> Option<Instant> {
        let nanos = self.served_nanos.load(Relaxed);
        (nanos > 0).then(|| self.since + Duration::from_nanos(nanos))
    }

    fn note_served(&self, began: Instant) {
        let elapsed = began.saturating_duration_since(self.since);
        let nanos = nanos(elapsed);
        // Two threads may overwrite each other: the next statement makes it good.
        if nanos > self.served_nanos.load(Relaxed) {
            self.served_nanos.store(nanos, Relaxed);
        }
    }

    /// Counts the start of a statement that began at `now`.
    pub fn start(&self, now: Instant) -> InFlight<'_> {
        self.begun.fetch_add(1, Relaxed);
        InFlight { stats: self, started: now, succeeded: false }
    }

    /// Counts a write among the statements.
    pub fn count_write(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    /// Counts a physical connection that was opened.
    pub fn opened(&self) {
        self.connections.fetch_add(1, Relaxed);
        self.connects.fetch_add(1, Relaxed);
    }

    /// Counts a physical connection that was closed.
    pub fn closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// Notes that a connection to the instance broke: every idle connection returned before now
    /// is in doubt and will not be used again.
    pub fn broke(&self) {
        self.breaks.fetch_add(1, Relaxed);
    }

    /// How often a connection broke; a connection is in doubt when this has risen since.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Relaxed)
    }

    /// Statements run, failed ones included.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries.load(Relaxed)
    }

    /// Statements that were writes.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }

    /// Statements that failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Statements running now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        // Those that have ended are read first: so one that ends meanwhile does not make it less
        // than nothing, and where another order is seen it is nothing.
        let ended = self.queries.load(Relaxed);
        self.begun.load(Relaxed).saturating_sub(ended)
    }

    /// Physical connections open now, the monitor's own not counted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Physical connections opened so far.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.connects.load(Relaxed)
    }

    /// Physical connections that could not be opened so far.
    #[must_use]
    pub fn failed_connects(&self) -> u64 {
        self.failed_connects.load(Relaxed)
    }

    pub(crate) fn count_failed_connect(&self) {
        self.failed_connects.fetch_add(1, Relaxed);
    }

    /// Probes of the monitor that the instance did not answer so far, or answered with an error.
    #[must_use]
    pub fn failed_probes(&self) -> u64 {
        self.failed_probes.load(Relaxed)
    }

    pub(crate) fn count_failed_probe(&self) {
        self.failed_probes.fetch_add(1, Relaxed);
    }

    /// Moving average of the time a statement takes (weight 1/8); zero before the first.
    #[must_use]
    pub fn latency(&self) -> Duration {
        Duration::from_nanos(self.latency_nanos.load(Relaxed))
    }

    fn note_latency(&self, elapsed: Duration) {
        let sample = nanos(elapsed);
        let old = self.latency_nanos.load(Relaxed);
        // Two threads may lose each other's sample: an average needs no more than this.
        let new = if old == 0 { sample } else { old - old / 8 + sample / 8 };
        self.latency_nanos.store(new, Relaxed);
    }
}

/// What would not fit is more than five hundred years.
fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

impl InFlight<'_> {
    /// Counts the statement as successful, at `now`.
    pub fn succeeded(mut self, now: Instant) {
        self.stats.note_latency(now.saturating_duration_since(self.started));
        self.stats.note_served(self.started);
        self.succeeded = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.stats.queries.fetch_add(1, Relaxed);
        if !self.succeeded {
            self.stats.errors.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_in_flight_until_it_ends_and_counted_once() {
        let now = Instant::now();
        let stats = InstanceStats::new(now);
        let running = stats.start(now);
        assert_eq!((stats.in_flight(), stats.queries()), (1, 0));
        running.succeeded(now + Duration::from_micros(80));
        drop(stats.start(now));
        assert_eq!((stats.in_flight(), stats.queries(), stats.errors()), (0, 2, 1));
        assert_eq!(stats.latency(), Duration::from_micros(80));
    }

    #[test]
    fn the_youngest_statement_that_succeeded_proves_life() {
        let now = Instant::now();
        let stats = InstanceStats::new(now);
        assert_eq!(stats.served_at(), None);
        let at = |seconds| now + Duration::from_secs(seconds);
        let (old, young) = (stats.start(at(1)), stats.start(at(2)));
        young.succeeded(at(3));
        old.succeeded(at(9));
        drop(stats.start(at(4)));
        assert_eq!(stats.served_at(), Some(at(2)));
    }
}
