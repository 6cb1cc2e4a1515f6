//! A statement, as routing and recovery see it.

use aurora_core::sql::{Classification, TransactionControl, Verdict};
use diesel::QueryResult;
use diesel::query_builder::{QueryFragment, QueryId};

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{Driver, Link as _, Loaded};

/// What to run.
pub(crate) struct Statement<'a, C: Driver> {
    pub(crate) classification: Classification,
    pub(crate) work: Work<'a, C>,
}

/// How to run it.
pub(crate) enum Work<'a, C: Driver> {
    /// A text, perhaps of several statements.
    Batch(&'a str),
    /// A query that says how many rows it touched.
    Count(C::Query, C::Count),
    /// A query that gives rows.
    Load(C::Query, C::Load),
}

/// What a statement gave.
pub(crate) enum Done<C: Driver> {
    Batch,
    Count(usize),
    Rows(Loaded<C>),
}

impl<C: Driver> Statement<'_, C> {
    /// Its SQL.
    pub(crate) fn sql(&self) -> &str {
        match &self.work {
            Work::Batch(sql) => sql,
            Work::Count(query, _) | Work::Load(query, _) => C::sql(query),
        }
    }

    /// Its SQL if it may begin a transaction: queries do not.
    pub(crate) fn batch(&self) -> Option<&str> {
        match &self.work {
            Work::Batch(sql) => Some(sql),
            Work::Count(..) | Work::Load(..) => None,
        }
    }

    /// Runs it on this connection.
    pub(crate) async fn perform(&mut self, link: &mut C::Link) -> QueryResult<Done<C>> {
        match &mut self.work {
            Work::Batch(sql) => {
                Box::pin(link.batch(sql)).await?;
                Ok(Done::Batch)
            }
            Work::Count(query, count) => Ok(Done::Count(link.count(query, *count).await?)),
            Work::Load(query, load) => {
                let enough = enough(&self.classification);
                Ok(Done::Rows(link.load(query, *load, enough).await?))
            }
        }
    }
}

/// How many rows have to be here before the first one is delivered.
///
/// Of what changes data all rows are fetched: only after the last one it is known that the change
/// is permanent. Of reads two rows are, or the end: so the usual query of one row is over when its
/// row is delivered, and before that it can be run again.
fn enough(classification: &Classification) -> usize {
    match classification.verdict() {
        Verdict::Read | Verdict::Lock => 2,
        Verdict::Session | Verdict::Transaction(_) | Verdict::Write => usize::MAX,
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

impl<C: Physical> AuroraConnection<C> {
    /// Judges a query and takes it apart.
    pub(crate) fn collect<T>(&mut self, query: &T) -> QueryResult<(Classification, C::Query)>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let safe_to_cache = query.is_safe_to_cache_prepared(&C::Backend::default())?;
        let sql = self.intents.text::<C::Backend, T>(query, safe_to_cache)?;
        let collected = C::collect(query, sql, safe_to_cache)?;
        let classification = if T::query_id().is_some() {
            let (cluster, refusals) = (&self.shared.cluster, &self.shared.refusals);
            self.intents.classify::<C::Backend, T>(query, cluster, refusals)?
        } else {
            self.shared.cluster.classify(C::sql(&collected))
        };
        Ok((classification, collected))
    }
}
