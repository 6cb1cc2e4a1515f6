//! The confusion matrix, and whether it is good enough.

use std::fmt;

use aurora_core::sql::Verdict;
use serde_json::{Value, json};

use crate::{Record, Truth};

/// Of the statements that are answered without side effects, how many must be reads.
pub const READS: f64 = 0.99;

/// The columns of the matrix.
const VERDICTS: [&str; 5] = ["read", "lock", "session", "transaction", "write"];

/// The name of a verdict, without the kind of transaction control.
#[must_use]
pub fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Read => VERDICTS[0],
        Verdict::Lock => VERDICTS[1],
        Verdict::Session => VERDICTS[2],
        Verdict::Transaction(_) => VERDICTS[3],
        Verdict::Write => VERDICTS[4],
    }
}

/// What came of a corpus.
#[derive(Clone, Debug)]
pub struct Report {
    records: Vec<Record>,
}

impl Report {
    /// A report on these statements.
    #[must_use]
    pub fn new(records: Vec<Record>) -> Self {
        Self { records }
    }

    /// All statements.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many statements have this truth and this verdict.
    #[must_use]
    pub fn count(&self, truth: Truth, verdict: &str) -> usize {
        let is = |record: &&Record| record.truth == truth && name(record.verdict) == verdict;
        self.records.iter().filter(is).count()
    }

    /// Statements called a read that must not be.
    pub fn violations(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_violation())
    }

    /// Statements that could be reads and are not.
    pub fn missed(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_missed())
    }

    /// The part of what is answered without side effects that is called a read, from 0 to 1.
    #[must_use]
    pub fn reads_found(&self) -> f64 {
        let all = self.records.iter().filter(|record| record.truth == Truth::Answered).count();
        1.0 - self.missed().count() as f64 / all.max(1) as f64
    }

    /// Whether anything was tried, no violation was found, and enough reads were.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.records.is_empty()
            && self.violations().next().is_none()
            && self.reads_found() >= READS
    }

    /// The figures as one JSON object, with every violation.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let row = |truth: Truth| {
            let cells =
                VERDICTS.map(|verdict| (verdict.to_owned(), self.count(truth, verdict).into()));
            (truth.to_string(), Value::Object(cells.into_iter().collect()))
        };
        json!({
            "statements": self.records.len(),
            "matrix": Value::Object(Truth::ALL.map(row).into_iter().collect()),
            "violations": self.violations().map(Record::to_json).collect::<Vec<_>>(),
            "missed_reads": self.missed().count(),
            "reads_found": self.reads_found(),
            "passed": self.is_good(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24}", format!("{} statements", self.records.len()))?;
        VERDICTS.iter().try_for_each(|verdict| write!(f, "{verdict:>12}"))?;
        writeln!(f)?;
        for truth in Truth::ALL {
            write!(f, "{truth:<24}")?;
            for verdict in VERDICTS {
                write!(f, "{:>12}", self.count(truth, verdict))?;
            }
            writeln!(f)?;
        }
        for record in self.violations() {
            writeln!(f, "VIOLATION ({}, {}): {}", record.truth, record.why, record.sql)?;
        }
        writeln!(f, "violations: {}", self.violations().count())?;
        let (missed, found) = (self.missed().count(), self.reads_found() * 100.0);
        write!(
            f,
            "reads found: {found:.2} % of what is answered without side effects, {missed} missed"
        )
    }
}
