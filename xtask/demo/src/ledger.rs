//! What the application was told about each write, compared with what the database has.

use std::collections::HashMap;
use std::fmt;

use aurora_core::Outcome;

/// The identifier of one write, unique in a run; an operation that is tried again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    pub(crate) kind: Kind,
    pub(crate) worker: u16,
    pub(crate) sequence: u32,
}

/// How a write is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A single INSERT in autocommit mode.
    Single,
    /// The five statements of a TPC-B-like transaction.
    Transaction,
}

impl fmt::Display for Id {
    /// At most 17 characters: `pgbench_history.filler` has 22.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Single => 's',
            Kind::Transaction => 't',
        };
        write!(f, "{kind}{:02}-{:07}", self.worker, self.sequence)
    }
}

/// One write that was attempted.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) delta: i32,
    /// What the application was told; an acknowledged write is [`Outcome::Applied`].
    pub(crate) told: Outcome,
}

/// The ledger of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: u64,
    /// Acknowledged and not in the database.
    pub(crate) lost: u64,
    /// In the database more than once.
    pub(crate) duplicated: u64,
    pub(crate) not_applied: u64,
    /// Reported as not applied, or never attempted at all, and in the database.
    pub(crate) wrong_outcome: u64,
    pub(crate) unknown: u64,
    pub(crate) unknown_committed: u64,
    /// The sum of money that the database must have moved if every answer was right.
    pub(crate) moved: i64,
}

/// Compares the entries with how often the database has each identifier.
pub(crate) fn reconcile(entries: &[Entry], found: &HashMap<String, u64>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut met = 0;
    for entry in entries {
        let times = found.get(&entry.id.to_string()).copied().unwrap_or(0);
        let present = times > 0;
        met += usize::from(present);
        verdict.duplicated += u64::from(times > 1);
        match entry.told {
            Outcome::Applied => {
                verdict.acknowledged += 1;
                verdict.lost += u64::from(!present);
            }
            Outcome::NotApplied => {
                verdict.not_applied += 1;
                verdict.wrong_outcome += u64::from(present);
            }
            Outcome::Unknown => {
                verdict.unknown += 1;
                verdict.unknown_committed += u64::from(present);
            }
        }
        let counts = entry.told == Outcome::Applied || (entry.told == Outcome::Unknown && present);
        verdict.moved += if counts { i64::from(entry.delta) } else { 0 };
    }
    verdict.wrong_outcome += (found.len() - met) as u64;
    verdict
}

/// The sums of pgbench's four tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) accounts: i64,
    pub(crate) tellers: i64,
    pub(crate) branches: i64,
    pub(crate) history: i64,
}

impl Money {
    /// Whether all four sums are what the ledger says.
    pub(crate) fn agrees_with(self, verdict: &Verdict) -> bool {
        [self.accounts, self.tellers, self.branches, self.history]
            .iter()
            .all(|sum| *sum == verdict.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(sequence: u32, told: Outcome) -> Entry {
        let id = Id { kind: Kind::Transaction, worker: 3, sequence };
        Entry { id, delta: 10, told }
    }

    #[test]
    fn every_disagreement_with_the_database_is_counted() {
        let entries = [
            entry(1, Outcome::Applied),
            entry(2, Outcome::Applied),
            entry(3, Outcome::Applied),
            entry(4, Outcome::NotApplied),
            entry(5, Outcome::NotApplied),
            entry(6, Outcome::Unknown),
            entry(7, Outcome::Unknown),
        ];
        let rows = [(1, 1), (3, 2), (5, 1), (6, 1), (99, 1)];
        let found: HashMap<String, u64> = rows
            .iter()
            .map(|(sequence, times)| (entry(*sequence, Outcome::Applied).id.to_string(), *times))
            .collect();
        let expected = Verdict {
            acknowledged: 3,
            lost: 1,
            duplicated: 1,
            not_applied: 2,
            wrong_outcome: 2,
            unknown: 2,
            unknown_committed: 1,
            moved: 40,
        };
        assert_eq!(reconcile(&entries, &found), expected);
    }

    #[test]
    fn an_identifier_fits_into_the_filler_of_pgbench() {
        let id = Id { kind: Kind::Single, worker: u16::MAX, sequence: u32::MAX };
        assert!(id.to_string().len() <= 22, "{id}");
        assert_eq!(Id { kind: Kind::Single, worker: 1, sequence: 2 }.to_string(), "s01-0000002");
    }

    #[test]
    fn money_is_conserved_only_if_all_sums_agree() {
        let verdict = Verdict { moved: 7, ..Verdict::default() };
        let money = Money { accounts: 7, tellers: 7, branches: 7, history: 7 };
        assert!(money.agrees_with(&verdict));
        assert!(!Money { tellers: 6, ..money }.agrees_with(&verdict));
    }
}
