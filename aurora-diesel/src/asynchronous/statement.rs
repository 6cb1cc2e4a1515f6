//! A statement, as routing and recovery see it.

use aurora_core::sql::{Classification, TransactionControl, Verdict};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};

use super::collect::{Collected, Count, Load};
use super::connection::AuroraConnection;

/// What to run.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) classification: Classification,
    pub(crate) work: Work<'a>,
}

/// How to run it.
#[derive(Debug)]
pub(crate) enum Work<'a> {
    /// A text, perhaps of several statements.
    Batch(&'a str),
    /// A query that says how many rows it touched.
    Count(Collected, Count),
    /// A query that gives rows.
    Load(Collected, Load),
}

impl Statement<'_> {
    /// Its SQL.
    pub(crate) fn sql(&self) -> &str {
        match &self.work {
            Work::Batch(sql) => sql,
            Work::Count(query, _) | Work::Load(query, _) => query.sql(),
        }
    }

    /// Its SQL if it may begin a transaction: queries do not.
    pub(crate) fn batch(&self) -> Option<&str> {
        match &self.work {
            Work::Batch(sql) => Some(sql),
            Work::Count(..) | Work::Load(..) => None,
        }
    }
}

/// Whether it ends the whole transaction, one way or the other.
pub(crate) fn ends_transaction(classification: &Classification) -> bool {
    match classification.verdict() {
        Verdict::Transaction(control) => matches!(
            control,
            TransactionControl::Commit
                | TransactionControl::CommitAndChain
                | TransactionControl::Prepare
                | TransactionControl::Rollback
        ),
        Verdict::Lock | Verdict::Read | Verdict::Session | Verdict::Write => false,
    }
}

/// Whether it does nothing but control a transaction.
pub(crate) fn controls_transaction(classification: &Classification) -> bool {
    matches!(classification.verdict(), Verdict::Transaction(_))
}

impl AuroraConnection {
    /// Judges a query and takes it apart.
    pub(crate) fn collect<T>(&mut self, query: &T) -> QueryResult<(Classification, Collected)>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        let safe_to_cache = query.is_safe_to_cache_prepared(&Pg)?;
        let sql = self.intents.text::<Pg, T>(query, safe_to_cache)?;
        let collected = Collected::new(query, sql, safe_to_cache)?;
        let classification = if T::query_id().is_some() {
            self.intents.classify::<Pg, T>(query, &self.shared.cluster, &self.shared.refusals)?
        } else {
            self.shared.cluster.classify(collected.sql())
        };
        Ok((classification, collected))
    }
}
