//! What sessions need of a driver of diesel-async; each has a file beside this one.

use self::sealed::Driver;

/// A connection of diesel-async's own that sessions lease:
#[cfg_attr(
    feature = "async-postgres",
    doc = "[`AsyncPgConnection`](diesel_async::AsyncPgConnection) with the feature `async-postgres`,"
)]
#[cfg_attr(
    feature = "async-mysql",
    doc = "[`AsyncMysqlConnection`](diesel_async::AsyncMysqlConnection) with the feature `async-mysql`."
)]
///
/// Sealed: it is implemented here for every driver that is supported.
pub trait Physical: Driver {}

pub(crate) mod sealed {
    use std::sync::Arc;
    use std::time::Instant;

    use aurora_core::session::Trouble;
    use aurora_core::transaction::RunOptions;
    use aurora_core::{Cluster, Error, Instance};
    use diesel::backend::Backend;
    use diesel::query_builder::{QueryFragment, QueryId};
    use diesel::result::QueryResult;
    use diesel::row::Row;
    use diesel_async::{AnsiTransactionManager, AsyncConnection, AsyncConnectionCore};
    use futures_core::Stream;

    use super::Physical;
    use crate::asynchronous::ahead::Ahead;
    use crate::asynchronous::connection::AuroraConnection;

    /// What is different from driver to driver.
    pub trait Driver:
        AsyncConnectionCore<Backend: Backend<QueryBuilder: Default> + Default>
        + AsyncConnection<TransactionManager = AnsiTransactionManager>
        + 'static
    {
        /// A row.
        type OneRow: for<'a> Row<'a, Self::Backend> + Send + 'static;
        /// The rows of one query, which borrow nothing.
        type Rows: Stream<Item = QueryResult<Self::OneRow>> + Send + Unpin + 'static;
        /// A query with its values taken out of it.
        type Query: Send + Sync + 'static;
        /// How a query is put to a connection for its rows.
        type Load: Copy + Send + Sync + 'static;
        /// How a query is put to a connection for the number of rows it touched.
        type Count: Copy + Send + Sync + 'static;
        /// A connection, and what ends it.
        type Link: Link<Self>;

        /// Whether the server gives up a whole transaction when a statement in it fails, and
        /// answers its COMMIT with a ROLLBACK and no error.
        const ABORTS_TRANSACTIONS: bool;
        /// Whether the id that an INSERT generates is asked for with another statement, on the
        /// same connection.
        const KEEPS_INSERT_ID: bool;

        /// Takes a query, whose SQL this is, apart.
        fn collect<T>(query: &T, sql: Arc<str>, safe_to_cache: bool) -> QueryResult<Self::Query>
        where
            T: QueryFragment<Self::Backend>;

        /// The text, with placeholders for the values.
        fn sql(query: &Self::Query) -> &str;

        /// How queries like `T` are loaded: a pointer, so that nothing behind it is compiled per
        /// query.
        fn load_of<T: QueryId>() -> Self::Load;

        /// How queries like `T` are executed.
        fn count_of<T: QueryId>() -> Self::Count;

        /// The text that begins a transaction in these modes, each empty or as PostgreSQL has it.
        fn begin(isolation: &str, access: &str, deferrable: &str) -> String;

        /// The text that begins a replayable transaction.
        fn begin_sql(options: &RunOptions) -> String;

        /// The id of the session's transaction, if it has written anything.
        fn transaction_id(
            session: &mut AuroraConnection<Self>,
        ) -> impl Future<Output = QueryResult<Option<i64>>> + Send
        where
            Self: Physical;
    }

    /// A physical connection, and what ends it while somebody waits for it.
    pub trait Link<C: Driver>: Send + Sync + Sized + 'static {
        /// Connects to `instance` before `deadline`.
        fn open(
            cluster: &Cluster,
            instance: &Instance,
            deadline: Instant,
        ) -> impl Future<Output = Result<Self, Error>> + Send;

        /// What ends it from outside.
        fn abort(&self) -> impl Fn() + Send + Sync + 'static;

        /// Whether it is certainly closed. Ask only while nobody waits for an answer on it.
        fn is_closed(&self) -> bool;

        /// The connection; none while rows of it are on their way.
        fn connection(&mut self) -> Option<&mut C>;

        /// Gives it up in the middle of something: nobody shall wait for the end of that.
        fn sever(&mut self);

        /// Runs a text, perhaps of several statements.
        fn batch(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;

        /// Runs a query for the number of rows it touched.
        fn count(
            &mut self,
            query: &mut C::Query,
            count: C::Count,
        ) -> impl Future<Output = QueryResult<usize>> + Send;

        /// Runs a query until so many rows are here, or all of them.
        fn load(
            &mut self,
            query: &mut C::Query,
            load: C::Load,
            enough: usize,
        ) -> impl Future<Output = QueryResult<Loaded<C>>> + Send;

        /// How the connection is.
        ///
        /// No instrumentation sees this, nor anything after it until one is set again.
        fn condition(&mut self) -> impl Future<Output = Condition> + Send;

        /// What an error means that a statement has just met; `ends` is whether that would have
        /// ended its transaction. No instrumentation sees what is asked for that.
        fn diagnose(
            &mut self,
            error: diesel::result::Error,
            ends: bool,
        ) -> impl Future<Output = Diagnosis> + Send;

        /// The id that the last INSERT on this connection generated, where the driver
        /// [keeps](Driver::KEEPS_INSERT_ID) it. No instrumentation sees this.
        fn insert_id(&mut self) -> impl Future<Output = QueryResult<u64>> + Send;

        /// Has the connection give that id as its last one. No instrumentation sees this.
        fn set_insert_id(&mut self, id: u64) -> impl Future<Output = QueryResult<()>> + Send;
    }

    /// The rows that are here, and what is still to come.
    #[allow(missing_debug_implementations, reason = "rows have none")]
    pub struct Loaded<C: Driver> {
        /// The first ones.
        pub ahead: Ahead<C::OneRow>,
        /// The others.
        pub rest: Option<C::Rows>,
    }

    /// How a connection is after an error.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Condition {
        /// It is of no use.
        Closed,
        /// It is in a transaction that the server has given up.
        InFailedTransaction,
        /// It serves other statements.
        Usable,
    }

    /// What an error means.
    #[derive(Debug)]
    pub struct Diagnosis {
        /// The error, with the kind that Diesel has for it.
        pub error: diesel::result::Error,
        /// What went wrong, as far as recovery cares.
        pub trouble: Trouble,
        /// How the connection is.
        pub condition: Condition,
        /// What became of the transaction around the statement.
        pub after: After,
    }

    /// What becomes of a transaction in which a statement failed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum After {
        /// The server takes nothing but its end, if it takes anything.
        Aborted,
        /// The statement alone was undone.
        GoesOn,
        /// The server has rolled it back: what comes next would be outside of it.
        RolledBack,
    }
}
