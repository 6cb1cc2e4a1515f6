//! What the workers were told about their writes, compared in the end with what is there; pure.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use aurora_core::Outcome;
use aurora_tests::load::{Kind, Operation};

/// How many identifiers of broken promises are kept.
const SHOWN: usize = 20;

/// What became of a row, as its writer was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Claim {
    /// It was never written, or its write has not ended.
    #[default]
    None,
    Stored,
    Absent,
    Unknown,
}

/// What is known of a row; small, because there are millions.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    claim: Claim,
    /// How often it was found.
    count: u8,
    /// When its write ended, in seconds from the start.
    second: u32,
    /// A hash of the session that wrote it.
    session: u64,
}

/// The claims of all writes, by the number of their row. A transaction writes an even number and
/// the next one, any other write an even number alone.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    start: Instant,
    entries: Vec<Entry>,
}

/// How claims and rows differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Acknowledged rows that are not there.
    pub(crate) lost: usize,
    /// Rows that are there more than once, or that nobody wrote.
    pub(crate) duplicated: usize,
    /// Rows of which an error said "applied" or "not applied", and was wrong.
    pub(crate) wrong: usize,
    /// Transactions that are there by half, or were written by two sessions.
    pub(crate) torn: usize,
    /// Rows of unknown outcome, and how many of them are there.
    pub(crate) unknown: usize,
    pub(crate) unknown_stored: usize,
    /// The first rows of broken promises, in words.
    pub(crate) details: Vec<String>,
}

impl Ledger {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, entries: Vec::new() }
    }

    /// Notes what the worker was told.
    pub(crate) fn note(&mut self, operation: &Operation) {
        let rows = match operation.kind {
            Kind::Read => return,
            Kind::Transaction => 2,
            Kind::Write => 1,
        };
        let claim = match operation.failure.as_ref().map(|failure| failure.outcome) {
            None | Some(Outcome::Applied) => Claim::Stored,
            Some(Outcome::NotApplied) => Claim::Absent,
            Some(Outcome::Unknown) => Claim::Unknown,
        };
        let second = (operation.ended - self.start).as_secs().try_into().unwrap_or(u32::MAX);
        for id in operation.id..operation.id + rows {
            let entry = self.entry(id);
            (entry.claim, entry.second) = (claim, second);
        }
    }

    /// Notes a row that is in the database.
    pub(crate) fn found(&mut self, id: i64, session: &str) {
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        let entry = self.entry(id);
        entry.count = entry.count.saturating_add(1);
        entry.session = hasher.finish();
    }

    /// The differences.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for (id, entry) in self.entries.iter().enumerate() {
            verdict.judge(id, entry);
        }
        for (number, pair) in self.entries.chunks(2).enumerate() {
            if let [first, second] = pair
                && second.claim != Claim::None
                && ((first.count > 0) != (second.count > 0) || first.session != second.session)
            {
                verdict.torn += 1;
                verdict.detail("torn", number * 2, first);
            }
        }
        verdict
    }

    fn entry(&mut self, id: i64) -> &mut Entry {
        let index = usize::try_from(id).unwrap_or(0);
        if self.entries.len() <= index {
            self.entries.resize(index + 1, Entry::default());
        }
        &mut self.entries[index]
    }
}

impl Verdict {
    fn judge(&mut self, id: usize, entry: &Entry) {
        let there = entry.count > 0;
        let (counted, what) = match entry.claim {
            Claim::Unknown => {
                self.unknown += 1;
                self.unknown_stored += usize::from(there);
                (None, "")
            }
            Claim::Stored if !there => (Some(&mut self.lost), "lost"),
            Claim::Absent if there => (Some(&mut self.wrong), "there, but said to be not"),
            Claim::None if there => (Some(&mut self.duplicated), "written by nobody"),
            _ => (None, ""),
        };
        if let Some(count) = counted {
            *count += 1;
            self.detail(what, id, entry);
        }
        if entry.count > 1 {
            self.duplicated += 1;
            self.detail("there several times", id, entry);
        }
    }

    fn detail(&mut self, what: &str, id: usize, entry: &Entry) {
        if self.details.len() < SHOWN {
            let second = Duration::from_secs(entry.second.into());
            self.details.push(format!("row {id}, of {second:?}: {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use aurora_tests::door::Failure;

    use super::*;

    fn ledger(operations: &[(i64, Kind, Option<Outcome>)]) -> Ledger {
        let now = Instant::now();
        let mut ledger = Ledger::new(now);
        for (id, kind, outcome) in operations {
            let failure = outcome.map(|outcome| Failure { outcome, ..Failure::unwanted() });
            let (id, kind) = (*id, *kind);
            ledger.note(&Operation { worker: 0, kind, id, began: now, ended: now, failure });
        }
        ledger
    }

    fn figures(mut ledger: Ledger, rows: &[(i64, &str)]) -> [usize; 4] {
        rows.iter().for_each(|(id, session)| ledger.found(*id, session));
        let verdict = ledger.verdict();
        let figures = [verdict.lost, verdict.duplicated, verdict.wrong, verdict.torn];
        assert_eq!(verdict.details.len(), figures.iter().sum::<usize>());
        figures
    }

    #[test]
    fn what_is_as_it_was_said_is_well() {
        let ledger = ledger(&[
            (0, Kind::Write, None),
            (2, Kind::Transaction, None),
            (4, Kind::Read, None),
            (6, Kind::Write, Some(Outcome::NotApplied)),
            (8, Kind::Write, Some(Outcome::Unknown)),
            (10, Kind::Transaction, Some(Outcome::Unknown)),
            (12, Kind::Write, Some(Outcome::Applied)),
        ]);
        let rows = [(0, "a"), (2, "a"), (3, "a"), (8, "b"), (12, "a")];
        assert_eq!(figures(ledger.clone(), &rows), [0; 4]);
        assert_eq!(figures(ledger, &[&rows[..], &[(10, "b"), (11, "b")]].concat()), [0; 4]);
    }

    #[test]
    fn every_broken_promise_is_counted() {
        let write = |outcome| ledger(&[(0, Kind::Write, outcome)]);
        assert_eq!(figures(write(None), &[]), [1, 0, 0, 0]);
        assert_eq!(figures(write(Some(Outcome::Applied)), &[]), [1, 0, 0, 0]);
        assert_eq!(figures(write(None), &[(0, "a"), (0, "a")]), [0, 1, 0, 0]);
        assert_eq!(figures(write(Some(Outcome::NotApplied)), &[(0, "a")]), [0, 0, 1, 0]);
        assert_eq!(figures(ledger(&[]), &[(6, "a")]), [0, 1, 0, 0]);
        let pair = |outcome| ledger(&[(0, Kind::Transaction, outcome)]);
        assert_eq!(figures(pair(Some(Outcome::Unknown)), &[(1, "a")]), [0, 0, 0, 1]);
        assert_eq!(figures(pair(None), &[(0, "a"), (1, "b")]), [0, 0, 0, 1]);
        assert_eq!(figures(pair(Some(Outcome::NotApplied)), &[(0, "a"), (1, "a")]), [0, 0, 2, 0]);
    }
}
