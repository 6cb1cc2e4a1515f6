//! Waiting for fresh readers, and having the instances asked more often while there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Cluster, Deadline};
use crate::engine::Input;
use crate::own_line::OwnLine;
use crate::route::{Need, readers};
use crate::topology::Topology;

/// What is counted about reads that need fresh data, and when the engine was last told of one.
#[derive(Debug, Default)]
pub(super) struct Wanting {
    /// Reads the writer served because no reader was fresh enough.
    pub(super) not_fresh: OwnLine<AtomicU64>,
    /// Reads that waited for a fresh reader.
    pub(super) waited: AtomicU64,
    /// In nanoseconds of `since`.
    told: AtomicU64,
    since: std::sync::OnceLock<Instant>,
}

impl Wanting {
    /// Whether the engine has not been told for `pause`: a crowd of statements tells it no more
    /// often than it acts on it.
    fn is_due(&self, now: Instant, pause: Duration) -> bool {
        let since = *self.since.get_or_init(|| now.checked_sub(pause).unwrap_or(now));
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let (now, told) = (nanos(now.saturating_duration_since(since)), &self.told);
        let last = told.load(Ordering::Relaxed);
        let is_due = now >= last.saturating_add(nanos(pause));
        // Of several at once one tells.
        is_due && told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What adapters need for reads that need fresh data.
impl Cluster {
    /// Waits for a reader that is fresh enough for `need`, for at most `freshness_wait`; returns at
    /// once where there is one, or nothing to wait for.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_fresh(&self, need: Need, deadline: Deadline) {
        let Some(until) = self.waits_until(need, deadline) else { return };
        self.wait(self.changed(), until, |topology| has_fresh(topology, need)).await;
    }

    /// Like [`Cluster::wait_fresh`], on the calling thread.
    pub fn wait_fresh_blocking(&self, need: Need, deadline: Deadline) {
        let Some(until) = self.waits_until(need, deadline) else { return };
        self.wait_blocking(self.changed(), until, |topology| has_fresh(topology, need));
    }

    /// Whether [`Cluster::wait_fresh`] has to be asked at all: with the default it never waits.
    #[must_use]
    pub fn may_wait_fresh(&self, need: Need) -> bool {
        !self.config().freshness_wait().is_zero()
            && matches!(need, Need::Read { fresh_as_of: Some(_) })
    }

    /// Until when a statement that began with `deadline` waits for a reader that is fresh enough;
    /// `None` if it does not have to wait.
    fn waits_until(&self, need: Need, deadline: Deadline) -> Option<Instant> {
        let wait = self.config().freshness_wait();
        let Need::Read { fresh_as_of: Some(required) } = need else { return None };
        if wait.is_zero() || has_fresh(&self.snapshot(), need).is_some() {
            return None;
        }
        self.0.wanting.waited.fetch_add(1, Ordering::Relaxed);
        self.want(required);
        Some((deadline.began() + wait).min(deadline.at()))
    }

    /// Tells the engine at once that data of that moment is wanted.
    pub(super) fn want(&self, required: Instant) {
        self.0.shared.tell(Input::Wanted { required });
    }

    /// A read goes to the writer for want of a fresh reader.
    pub(super) fn note_not_fresh(&self, need: Need) {
        self.0.wanting.not_fresh.fetch_add(1, Ordering::Relaxed);
        let Need::Read { fresh_as_of: Some(required) } = need else { return };
        if self.0.wanting.is_due(Instant::now(), self.config().failover_interval()) {
            self.want(required);
        }
    }
}

/// Whether a reader is fresh enough, or there is none to wait for.
fn has_fresh(topology: &Arc<Topology>, need: Need) -> Option<()> {
    (topology.readers().is_empty() || !readers(topology, need).is_empty()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_tells_the_engine_once_in_a_while() {
        let (wanting, start) = (Wanting::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let pause = Duration::from_millis(10);
        let due: Vec<u64> = (0..35).filter(|ms| wanting.is_due(at(*ms), pause)).collect();
        assert_eq!(due, [0, 10, 20, 30]);
    }
}
