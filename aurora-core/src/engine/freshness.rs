//! As of when is a reader fresh? Measured with the writer's log positions, never guessed.
//!
//! The writer's position is sampled by a probe asked at T0: everything acknowledged before T0 is
//! at or before that position. A reader that reports the position replayed is fresh as of T0.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::History;

/// How many samples of the writer are remembered. When there are more, every other one is
/// forgotten: the further behind a reader is, the coarser is what is known of it.
const SAMPLES: usize = 512;

/// How many samples everybody sees: as many as are taken within about half a second while somebody
/// wants fresh data.
const RECENT: usize = 64;

/// The writer's log positions over time.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Rising in both parts.
    taken: VecDeque<(Instant, u64)>,
    /// The last of them, as everybody sees them.
    recent: Arc<[(Instant, u64)]>,
}

/// How far one reader has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    position: Option<u64>,
    fresh_as_of: Option<Instant>,
}

impl Samples {
    /// Notes that a probe asked at `asked_at` found the writer at `position`.
    pub(super) fn note(&mut self, asked_at: Instant, position: u64) {
        if let Some(&(at, newest)) = self.taken.back()
            && (asked_at <= at || position < newest)
        {
            return;
        }
        // While the cluster is idle the last sample moves on in time: everything is still there.
        let len = self.taken.len();
        if len >= 2 && self.taken[len - 1].1 == position && self.taken[len - 2].1 == position {
            self.taken[len - 1].0 = asked_at;
            return self.show();
        }
        if len == SAMPLES {
            let mut keep = false;
            self.taken.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.taken.push_back((asked_at, position));
        self.show();
    }

    fn show(&mut self) {
        let skipped = self.taken.len().saturating_sub(RECENT);
        self.recent = self.taken.range(skipped..).copied().collect();
    }

    /// The last samples.
    pub(super) fn recent(&self) -> Arc<[(Instant, u64)]> {
        Arc::clone(&self.recent)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// Forgets everything: another writer, another history.
    pub(super) fn clear(&mut self) {
        self.taken.clear();
        self.recent = Arc::default();
    }

    /// When the writer was asked last, and how far it was.
    pub(super) fn newest(&self) -> Option<(Instant, u64)> {
        self.taken.back().copied()
    }

    /// The latest moment whose position is not beyond `position`.
    fn as_of(&self, position: u64) -> Option<Instant> {
        let reached = self.taken.partition_point(|&(_, sample)| sample <= position);
        reached.checked_sub(1).map(|index| self.taken[index].0)
    }
}

impl Reached {
    pub(super) fn fresh_as_of(self) -> Option<Instant> {
        self.fresh_as_of
    }

    /// Notes what the reader reported: a position, or where it has none a lag at `asked_at`.
    pub(super) fn note(
        &mut self,
        samples: &Samples,
        position: Option<u64>,
        lag: Option<Duration>,
        asked_at: Instant,
    ) {
        self.position = position.or(self.position);
        match position {
            Some(_) => self.measure(samples),
            None => self.rise(lag.and_then(|lag| asked_at.checked_sub(lag))),
        }
    }

    /// Compares again after a new sample of the writer: an idle reader becomes fresher by it.
    pub(super) fn measure(&mut self, samples: &Samples) {
        self.rise(self.position.and_then(|position| samples.as_of(position)));
    }

    /// Forgets what is not known to belong to the writer's history any more. Without a restart, what
    /// a reader has replayed stays there.
    pub(super) fn forget(&mut self, history: History) {
        match history {
            History::Other => self.clear(),
            History::Same | History::Unknown => self.position = None,
        }
    }

    /// Forgets everything: the reader restarted, is another one, or has another history to follow.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn rise(&mut self, to: Option<Instant>) {
        self.fresh_as_of = self.fresh_as_of.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_reader_is_fresh_as_of_the_latest_sample_it_has_replayed() {
        let t0 = Instant::now();
        let mut samples = Samples::default();
        samples.note(t0, 100);
        samples.note(t0 + secs(1), 200);
        let mut reader = Reached::default();
        reader.note(&samples, Some(99), None, t0 + secs(1));
        assert_eq!(reader.fresh_as_of(), None);
        reader.note(&samples, Some(150), None, t0 + secs(2));
        assert_eq!(reader.fresh_as_of(), Some(t0));
        reader.note(&samples, Some(200), None, t0 + secs(3));
        assert_eq!(reader.fresh_as_of(), Some(t0 + secs(1)));
    }

    #[test]
    fn lag_does_not_grow_on_an_idle_cluster() {
        let t0 = Instant::now();
        let mut samples = Samples::default();
        let mut reader = Reached::default();
        for n in 0..5000 {
            samples.note(t0 + secs(n), 100);
            reader.note(&samples, Some(100), None, t0 + secs(n));
            assert_eq!(reader.fresh_as_of(), Some(t0 + secs(n)));
        }
        assert!(samples.taken.len() <= 3);
    }

    #[test]
    fn unknown_lag_is_not_zero_lag() {
        let t0 = Instant::now();
        let mut reader = Reached::default();
        reader.note(&Samples::default(), None, None, t0);
        assert_eq!(reader.fresh_as_of(), None);
        reader.note(&Samples::default(), None, Some(Duration::ZERO), t0);
        assert_eq!(reader.fresh_as_of(), Some(t0));
    }

    #[test]
    fn a_position_that_goes_back_is_not_a_sample() {
        let t0 = Instant::now();
        let mut samples = Samples::default();
        samples.note(t0, 100);
        samples.note(t0 + secs(1), 50);
        assert_eq!(samples.as_of(60), None);
    }
}
