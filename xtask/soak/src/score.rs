//! What the operations say of the faults; pure.

use std::time::{Duration, Instant};

use aurora_core::Outcome;
use aurora_tests::door::Kind as Error;
use aurora_tests::load::{Kind, Operation};

use crate::plan::Strike;

/// How soon everything has to succeed again after a fault was lifted.
pub(crate) const RECOVERY: Duration = Duration::from_secs(3);
/// How many failures are kept as texts.
const SHOWN: usize = 20;

/// Figures of all operations so far.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    /// The longest that an operation may take.
    deadline: Duration,
    pub(crate) acknowledged: u64,
    pub(crate) reads: u64,
    pub(crate) errors: u64,
    pub(crate) failed_reads: u64,
    pub(crate) unknown: u64,
    /// Writes refused as read-only.
    pub(crate) refused: u64,
    /// Failures that are neither a lost connection nor a wait in vain.
    pub(crate) strange: u64,
    pub(crate) longest: Duration,
    pub(crate) past_deadline: u64,
    /// Failures with no fault to blame.
    pub(crate) unprovoked: u64,
    /// Errors that show the password.
    pub(crate) secrets: u64,
    /// What was strange, late or unprovoked, in words.
    pub(crate) details: Vec<String>,
    /// By worker.
    last_write: Vec<Option<Instant>>,
    start: Instant,
}

/// A fault that has happened, and what it did to the load.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) strike: Strike,
    pub(crate) struck: Instant,
    pub(crate) lifted: Option<Instant>,
    pub(crate) mishaps: usize,
    pub(crate) errors: u64,
    /// The longest that a worker was without an acknowledged write.
    pub(crate) outage: Duration,
    last_failure: Option<Instant>,
    /// By worker: its first success after the fault was lifted.
    first_success: Vec<Option<Instant>>,
}

impl Episode {
    pub(crate) fn new(strike: Strike, workers: usize) -> Self {
        Self {
            strike,
            struck: Instant::now(),
            lifted: None,
            mishaps: 0,
            errors: 0,
            outage: Duration::ZERO,
            last_failure: None,
            first_success: vec![None; workers],
        }
    }

    /// The fault is no more.
    pub(crate) fn lift(&mut self, moment: Instant, mishaps: usize) {
        (self.lifted, self.mishaps) = (Some(moment), mishaps);
        self.first_success.fill(None);
    }

    /// How long after that everything succeeded again; none if it does not yet.
    pub(crate) fn recovery(&self) -> Option<Duration> {
        let lifted = self.lifted?;
        let mut last = self.last_failure.unwrap_or(lifted).max(lifted);
        for first in &self.first_success {
            last = last.max((*first)?);
        }
        Some(last - lifted)
    }

    /// A failure, or the first success of a worker, that comes too late.
    fn is_spoiled_by(&self, operation: &Operation) -> bool {
        let late = self.lifted.is_some_and(|lifted| operation.ended > lifted + RECOVERY);
        late && (operation.failure.is_some() || self.first_success[operation.worker].is_none())
    }

    fn take(&mut self, operation: &Operation, last_write: Option<Instant>) {
        if operation.failure.is_some() {
            self.errors += 1;
            self.last_failure = Some(operation.ended);
        } else if self.lifted.is_some_and(|lifted| operation.ended > lifted) {
            self.first_success[operation.worker].get_or_insert(operation.ended);
        }
        if operation.kind != Kind::Read
            && let Some(last) = last_write
        {
            let gap = operation.ended.saturating_duration_since(last.max(self.struck));
            self.outage = self.outage.max(gap);
        }
    }
}

impl Score {
    pub(crate) fn new(start: Instant, workers: usize, deadline: Duration) -> Self {
        Self {
            deadline,
            acknowledged: 0,
            reads: 0,
            errors: 0,
            failed_reads: 0,
            unknown: 0,
            refused: 0,
            strange: 0,
            longest: Duration::ZERO,
            past_deadline: 0,
            unprovoked: 0,
            secrets: 0,
            details: Vec::new(),
            last_write: vec![None; workers],
            start,
        }
    }

    /// Counts an operation, and blames the fault during which it ended.
    pub(crate) fn take(&mut self, operation: &Operation, episode: Option<&mut Episode>) {
        let took = operation.ended - operation.began;
        self.longest = self.longest.max(took);
        if took > self.deadline {
            self.past_deadline += 1;
            self.detail("took too long", operation);
        }
        let counted = match (operation.kind, operation.failure.is_some()) {
            (Kind::Read, false) => &mut self.reads,
            (Kind::Read, true) => &mut self.failed_reads,
            (_, false) => &mut self.acknowledged,
            (_, true) => &mut self.errors,
        };
        *counted += 1;
        self.explain(operation);
        match episode {
            Some(episode) => {
                if episode.is_spoiled_by(operation) {
                    self.detail(&format!("after {}", episode.strike), operation);
                }
                episode.take(operation, self.last_write[operation.worker]);
            }
            None if operation.failure.is_some() => {
                self.unprovoked += 1;
                self.detail("unprovoked", operation);
            }
            None => {}
        }
        if operation.kind != Kind::Read && operation.failure.is_none() {
            self.last_write[operation.worker] = Some(operation.ended);
        }
    }

    fn explain(&mut self, operation: &Operation) {
        let Some(failure) = &operation.failure else { return };
        self.unknown += u64::from(failure.outcome == Outcome::Unknown);
        self.secrets += u64::from(failure.text.contains(test_kit::PASSWORD));
        match failure.kind {
            Error::Lost | Error::NotSent => {}
            Error::ReadOnly => self.refused += 1,
            Error::Unique | Error::Unwanted | Error::Other => {
                self.strange += 1;
                self.detail("strange", operation);
            }
        }
    }

    /// Keeps an operation as text.
    pub(crate) fn detail(&mut self, what: &str, operation: &Operation) {
        if self.details.len() < SHOWN {
            self.details.push(format!("{what}: {}", self.words(operation)));
        }
    }

    /// An operation in words.
    pub(crate) fn words(&self, operation: &Operation) -> String {
        let seconds = |moment: Instant| moment.duration_since(self.start).as_secs_f64();
        let Operation { worker, kind, id, .. } = operation;
        let failure = operation.failure.as_ref().map_or("well".to_owned(), ToString::to_string);
        let (began, ended) = (seconds(operation.began), seconds(operation.ended));
        format!("{began:.2} to {ended:.2} s, worker {worker}, {kind:?} {id}: {failure}")
    }
}

#[cfg(test)]
mod tests {
    use aurora_tests::door::Failure;

    use super::*;
    use crate::plan::Plan;

    struct Run {
        start: Instant,
        score: Score,
    }

    impl Run {
        fn new() -> (Self, Episode) {
            let start = Instant::now();
            let strike = Plan::new(1, None).next().unwrap();
            let mut episode = Episode::new(strike, 2);
            episode.struck = start + Duration::from_secs(1);
            (Self { start, score: Score::new(start, 2, Duration::from_secs(5)) }, episode)
        }

        fn operation(&self, worker: usize, millis: [u64; 2], failed: bool) -> Operation {
            let [began, ended] = millis.map(|millis| self.start + Duration::from_millis(millis));
            let failure = failed.then(|| Failure::exhausted("none"));
            Operation { worker, kind: Kind::Write, id: 0, began, ended, failure }
        }
    }

    #[test]
    fn recovery_lasts_until_the_last_failure_and_the_first_success_of_every_worker() {
        let (mut run, mut episode) = Run::new();
        let operations = [(0, [900, 950], false), (1, [900, 950], false), (0, [1100, 1900], true)];
        for (worker, millis, failed) in operations {
            run.score.take(&run.operation(worker, millis, failed), Some(&mut episode));
        }
        assert_eq!(episode.recovery(), None);
        episode.lift(run.start + Duration::from_secs(2), 0);
        run.score.take(&run.operation(0, [1950, 2100], false), Some(&mut episode));
        assert_eq!(episode.recovery(), None, "the other worker has not succeeded");
        run.score.take(&run.operation(1, [1000, 2500], false), Some(&mut episode));
        assert_eq!(episode.recovery(), Some(Duration::from_millis(500)));
        assert_eq!(episode.outage, Duration::from_millis(1500));
        run.score.take(&run.operation(0, [2900, 3000], true), Some(&mut episode));
        assert_eq!(episode.recovery(), Some(Duration::from_secs(1)));
        assert_eq!((run.score.acknowledged, run.score.errors, episode.errors), (4, 2, 2));
        assert_eq!(run.score.unprovoked, 0);
    }

    #[test]
    fn what_is_late_strange_or_unprovoked_is_told() {
        let (mut run, _) = Run::new();
        run.score.take(&run.operation(0, [0, 6000], false), None);
        assert_eq!((run.score.past_deadline, run.score.details.len()), (1, 1));
        let mut strange = run.operation(0, [0, 1], true);
        strange.failure = Some(Failure { kind: Error::Other, ..Failure::unwanted() });
        run.score.take(&strange, None);
        assert_eq!((run.score.strange, run.score.unprovoked), (1, 1));
        let leak = Failure { text: format!("with {}", test_kit::PASSWORD), ..Failure::unwanted() };
        run.score.take(&Operation { failure: Some(leak), ..strange }, None);
        assert_eq!(run.score.secrets, 1);
    }
}
