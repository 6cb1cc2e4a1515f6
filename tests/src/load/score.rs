//! What the operations of a load come to, compared with what the database holds; pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aurora_core::Outcome;

use super::{Kind, Operation};
use crate::door::Kind as Error;

/// A row of the database: its number, and the session that wrote it.
pub type Row = (i64, String);

/// Figures of a load. What is counted from `failed_reads` on should be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Writes and transactions that were acknowledged.
    pub acknowledged: usize,
    /// Writes and transactions that failed.
    pub errors: usize,
    /// The most of these errors that one worker saw.
    pub most_errors: usize,
    /// Those whose outcome was unknown.
    pub unknown: usize,
    /// Reads that succeeded.
    pub reads: usize,
    /// The longest time that a worker was without an acknowledged write, from the fault on.
    pub outage: Duration,
    /// The longest time that an operation took.
    pub longest: Duration,
    /// Reads that failed.
    pub failed_reads: usize,
    /// Writes refused as read-only.
    pub refused: usize,
    /// Those of them that began when the new writer was known.
    pub refused_late: usize,
    /// Failures that are neither a lost connection nor a wait in vain.
    pub strange: usize,
    /// Acknowledged writes that are not there.
    pub lost: usize,
    /// Rows that are there more than once, or that nobody wrote.
    pub duplicated: usize,
    /// Errors that say "applied" or "not applied" and are wrong.
    pub wrong: usize,
    /// Transactions that are there by half, or were written by two sessions.
    pub torn: usize,
}

/// What happened when.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// Right before the fault.
    pub fault: Instant,
    /// When the library told of a new writer, if it did.
    pub writer_known: Option<Instant>,
}

/// Judges operations by the rows that are in the database in the end.
#[must_use]
pub fn score(operations: &[Operation], rows: Vec<Row>, moments: Moments) -> Score {
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    for (id, session) in rows {
        found.entry(id).or_default().push(session);
    }
    let mut score = Score { outage: outage(operations, moments.fault), ..Score::default() };
    for operation in operations {
        score.longest = score.longest.max(operation.ended - operation.began);
        score.tell_failure(operation, moments.writer_known);
        if operation.kind != Kind::Read {
            let rows = if operation.kind == Kind::Transaction { 2 } else { 1 };
            let found: Vec<_> = (operation.id..operation.id + rows)
                .map(|id| found.remove(&id).unwrap_or_default())
                .collect();
            score.compare(operation, &found);
        }
    }
    // Whatever is left was written by nobody.
    score.duplicated += found.len();
    score.most_errors = most_errors(operations);
    score
}

impl Score {
    fn tell_failure(&mut self, operation: &Operation, known: Option<Instant>) {
        let counted = match (operation.kind, &operation.failure) {
            (Kind::Read, None) => &mut self.reads,
            (Kind::Read, Some(_)) => &mut self.failed_reads,
            (_, None) => &mut self.acknowledged,
            (_, Some(_)) => &mut self.errors,
        };
        *counted += 1;
        let Some(failure) = &operation.failure else { return };
        self.unknown += usize::from(failure.outcome == Outcome::Unknown);
        match failure.kind {
            Error::Lost | Error::NotSent => {}
            Error::ReadOnly => {
                self.refused += 1;
                self.refused_late +=
                    usize::from(known.is_some_and(|known| operation.began > known));
            }
            Error::Unique | Error::Unwanted | Error::Other => self.strange += 1,
        }
    }

    /// Compares a write with the rows it was to leave: by each, the sessions that wrote it.
    fn compare(&mut self, operation: &Operation, found: &[Vec<String>]) {
        let there = found.iter().filter(|sessions| !sessions.is_empty()).count();
        let whole = there == found.len();
        self.duplicated += found.iter().filter(|sessions| sessions.len() > 1).count();
        let halved = there > 0 && !whole;
        self.torn += usize::from(halved || found.windows(2).any(|pair| pair[0] != pair[1]));
        match operation.failure.as_ref().map(|failure| failure.outcome) {
            None => self.lost += usize::from(!whole),
            Some(Outcome::Applied) => self.wrong += usize::from(!whole),
            Some(Outcome::NotApplied) => self.wrong += usize::from(there > 0),
            Some(Outcome::Unknown) => {}
        }
    }
}

fn most_errors(operations: &[Operation]) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let failed = |operation: &&Operation| operation.failure.is_some();
    for operation in operations.iter().filter(failed) {
        if operation.kind != Kind::Read {
            *counts.entry(operation.worker).or_default() += 1;
        }
    }
    counts.into_values().max().unwrap_or(0)
}

/// The longest time between two acknowledged writes of a worker. It begins at the fault at the
/// earliest, and lasts until the worker's last operation if that failed.
fn outage(operations: &[Operation], fault: Instant) -> Duration {
    let mut since: HashMap<usize, Instant> = HashMap::new();
    let mut longest = Duration::ZERO;
    for operation in operations {
        if operation.kind == Kind::Read || operation.ended < fault {
            continue;
        }
        let last = since.entry(operation.worker).or_insert(fault);
        longest = longest.max(operation.ended - *last);
        if operation.failure.is_none() {
            *last = operation.ended;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Failure;

    /// Operations of worker 0 in a run whose fault happened after 1 s.
    struct Run(Instant);

    impl Run {
        fn done(&self, kind: Kind, id: i64, millis: u64, outcome: Option<Outcome>) -> Operation {
            let ended = self.0 + Duration::from_millis(millis);
            let failure = outcome.map(|outcome| Failure {
                kind: Error::Lost,
                outcome,
                ..Failure::unwanted()
            });
            Operation { worker: 0, kind, id, began: ended, ended, failure }
        }

        fn write(&self, id: i64, millis: u64, outcome: Option<Outcome>) -> Operation {
            self.done(Kind::Write, id, millis, outcome)
        }

        fn score(&self, operations: &[Operation], rows: &[(i64, &str)]) -> Score {
            let rows = rows.iter().map(|(id, session)| (*id, (*session).to_owned())).collect();
            let at = |seconds| self.0 + Duration::from_secs(seconds);
            score(operations, rows, Moments { fault: at(1), writer_known: Some(at(2)) })
        }
    }

    #[test]
    fn every_outcome_is_compared_with_what_is_there() {
        let run = Run(Instant::now());
        for (outcome, times, wanted) in [
            (None, 0, [1, 0, 0]),
            (None, 1, [0, 0, 0]),
            (None, 2, [0, 1, 0]),
            (Some(Outcome::Applied), 0, [0, 0, 1]),
            (Some(Outcome::Applied), 1, [0, 0, 0]),
            (Some(Outcome::NotApplied), 0, [0, 0, 0]),
            (Some(Outcome::NotApplied), 1, [0, 0, 1]),
            (Some(Outcome::Unknown), 0, [0, 0, 0]),
            (Some(Outcome::Unknown), 1, [0, 0, 0]),
            (Some(Outcome::Unknown), 2, [0, 1, 0]),
        ] {
            let score = run.score(&[run.write(4, 10, outcome)], &vec![(4, "s 1"); times]);
            let found = [score.lost, score.duplicated, score.wrong];
            assert_eq!(found, wanted, "{outcome:?}, {times} times");
        }
        assert_eq!(run.score(&[], &[(9, "s 1")]).duplicated, 1, "a row that nobody wrote");
    }

    #[test]
    fn a_transaction_is_whole_and_of_one_session() {
        let run = Run(Instant::now());
        let unknown = Some(Outcome::Unknown);
        for (rows, torn) in [
            (vec![], 0),
            (vec![(4, "s 1"), (5, "s 1")], 0),
            (vec![(4, "s 1")], 1),
            (vec![(5, "s 1")], 1),
            (vec![(4, "s 1"), (5, "s 2")], 1),
        ] {
            let score = run.score(&[run.done(Kind::Transaction, 4, 10, unknown)], &rows);
            assert_eq!((score.torn, score.duplicated), (torn, 0), "{rows:?}");
        }
    }

    #[test]
    fn a_refused_write_is_late_when_the_new_writer_was_known() {
        let run = Run(Instant::now());
        let refused = |id, millis| {
            let mut write = run.write(id, millis, Some(Outcome::NotApplied));
            write.failure.as_mut().unwrap().kind = Error::ReadOnly;
            write
        };
        let score = run.score(&[refused(2, 1500), refused(4, 2500)], &[]);
        assert_eq!((score.errors, score.refused, score.refused_late), (2, 2, 1));
    }

    #[test]
    fn the_outage_is_the_longest_gap_from_the_fault_on() {
        let run = Run(Instant::now());
        let lost = Some(Outcome::NotApplied);
        let rows = [(2, "s 1"), (8, "s 1"), (10, "s 1")];
        let operations = [
            run.write(2, 100, None),
            run.write(4, 1200, lost),
            run.write(6, 1300, lost),
            run.write(8, 1700, None),
            run.write(10, 1900, None),
        ];
        let score = run.score(&operations, &rows);
        assert_eq!(score.outage, Duration::from_millis(700));
        assert_eq!((score.acknowledged, score.errors, score.most_errors), (3, 2, 2));
        let unfinished = run.score(&[run.write(2, 100, None), run.write(4, 5000, lost)], &rows);
        assert_eq!(unfinished.outage, Duration::from_secs(4));
    }
}
