//! [`RunOptions`]: how a replayable transaction is to be run.

use std::time::Duration;

use super::marker::MarkerTable;
use crate::config::Family;

/// How it is found out whether a COMMIT was executed whose answer was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolve {
    /// By a marker that the transaction writes into this table before its COMMIT. Always works,
    /// and costs one statement and one row per transaction that writes.
    Marker(MarkerTable),
    /// By the status of the transaction's id, while the same server goes on: when only the
    /// connection broke. After a crash or a failover the outcome stays unknown. Needs no table,
    /// and costs one small query per transaction. The default. MySQL and MariaDB tell nobody what
    /// became of a transaction: there it is the same as [`Resolve::No`].
    #[default]
    SameServer,
    /// Not at all: the outcome of such a COMMIT is unknown. Costs nothing.
    No,
}

/// How a replayable transaction is to be run. What is not said of its mode is the server's
/// default.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use aurora_core::transaction::{MarkerTable, Resolve, RunOptions};
///
/// let options = RunOptions::new()
///     .serializable()
///     .deadline(Duration::from_secs(10))
///     .resolve(Resolve::Marker(MarkerTable::default()));
/// assert_eq!(options.begin_sql(), "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    isolation: &'static str,
    access: &'static str,
    deferrable: &'static str,
    deadline: Option<Duration>,
    resolve: Resolve,
}

const READ_ONLY: &str = " READ ONLY";

impl RunOptions {
    /// The server's default mode, [`Resolve::SameServer`], and `failover_timeout` as deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `READ ONLY`: runs on a reader, unless the transaction is serializable. There is nothing to
    /// resolve then.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.access = READ_ONLY;
        self
    }

    /// `READ WRITE`.
    #[must_use]
    pub fn read_write(mut self) -> Self {
        self.access = " READ WRITE";
        self
    }

    /// `DEFERRABLE`: a serializable read-only transaction waits until it cannot fail.
    #[must_use]
    pub fn deferrable(mut self) -> Self {
        self.deferrable = " DEFERRABLE";
        self
    }

    /// `READ COMMITTED`.
    #[must_use]
    pub fn read_committed(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL READ COMMITTED";
        self
    }

    /// `REPEATABLE READ`.
    #[must_use]
    pub fn repeatable_read(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL REPEATABLE READ";
        self
    }

    /// `SERIALIZABLE`: runs on the writer, because readers cannot.
    #[must_use]
    pub fn serializable(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL SERIALIZABLE";
        self
    }

    /// For how long attempts are begun, from the first one on; a COMMIT in doubt is given the same
    /// time again, from the moment of doubt on. Default: the cluster's `failover_timeout`.
    ///
    /// It bounds what is waited for, not the closure: what that does is never interrupted.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How a COMMIT in doubt is resolved. Default: [`Resolve::SameServer`].
    #[must_use]
    pub fn resolve(mut self, resolve: Resolve) -> Self {
        self.resolve = resolve;
        self
    }

    /// The statement that begins the transaction in PostgreSQL.
    #[must_use]
    pub fn begin_sql(&self) -> String {
        format!("BEGIN TRANSACTION{}{}{}", self.isolation, self.access, self.deferrable)
    }

    /// The statements that begin the transaction, in their order. MySQL takes the isolation level
    /// in a statement of its own, for the next transaction alone, and knows no `DEFERRABLE`: there
    /// it means nothing.
    #[must_use]
    pub fn begin_statements(&self, family: Family) -> Vec<String> {
        if family != Family::MySql {
            return vec![self.begin_sql()];
        }
        let isolation =
            (!self.isolation.is_empty()).then(|| format!("SET TRANSACTION{}", self.isolation));
        let begin = format!("START TRANSACTION{}", self.access);
        isolation.into_iter().chain([begin]).collect()
    }

    /// Whether the transaction was declared to be read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.access == READ_ONLY
    }

    /// For how long attempts are begun, if that was said.
    #[must_use]
    pub fn budget(&self) -> Option<Duration> {
        self.deadline
    }

    /// How a COMMIT in doubt is resolved: not at all where there can be no doubt.
    #[must_use]
    pub fn resolving(&self) -> &Resolve {
        if self.is_read_only() { &Resolve::No } else { &self.resolve }
    }
}
