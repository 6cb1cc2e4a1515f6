//! [`AuroraConnection`]: a logical session, usable wherever diesel-async expects a connection.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aurora_core::session::Session;
use aurora_core::sql::{Classification, TransactionControl, Verdict};
use aurora_core::{Cluster, Deadline, Freshness, Lease, Need, Role};
use diesel::connection::{CacheSize, Instrumentation};
use diesel::migration::CREATE_MIGRATIONS_TABLE;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, Error, QueryResult};
#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection,
    TransactionManager as _,
};
use futures_core::future::BoxFuture;

use super::builder::TransactionBuilder;
use super::driver::Physical;
use super::driver::sealed::Link as _;
use super::insert_id::InsertId;
use super::lease::lost;
use super::manager::{AuroraConnectionManager, Shared};
use super::rows::Rows;
use super::scope::{Abandoned, AsyncFunc, TransactionScope};
use super::statement::{Done, Statement, Work, ends_transaction};
use crate::errors;
use crate::instrument::Forward;
use crate::intent::Intents;

/// A session with the cluster that sends each statement where it belongs: reads to readers,
/// everything else to the writer.
///
/// * A transaction runs on one connection: to the writer, or to a reader when it was begun
///   `READ ONLY` (but not `SERIALIZABLE`, which readers cannot); see
///   [`AuroraConnection::build_transaction`].
/// * The session reads what it wrote: its reads stay with the writer until a reader is measured
///   to have caught up. See [`AuroraConnection::set_freshness`].
/// * A statement that changes the session (`SET`, `LISTEN`, temporary tables, advisory locks, …)
///   pins it to its connection until check-in, when that connection is closed.
/// * A read that fails because its instance died is run again elsewhere, as long as none of its
///   rows was delivered. A write is never run twice: when its connection was lost,
///   [`crate::outcome`] says whether it was applied.
/// * When the future of a statement is dropped, its connection is closed. In a transaction every
///   further statement fails then, until it is rolled back. Dropping the future of the transaction
///   itself rolls it back: at once with `(*pooled).transaction(..)`, the session's own; at check-in
///   with `pooled.transaction(..)`, which diesel-async gives to everything that leads to a session.
///
/// What needs the physical connection (pipelining, …) finds it behind
/// [`AuroraConnection::writer`]: statements of one session may go to different servers, so they
/// cannot be pipelined before they are bound to one. Notifications have a connection of their own:
/// diesel-async gives them only to one that it has opened itself.
///
/// # Cancel safety
///
/// Every method may be dropped at any await. What a statement has done by then is not known.
pub struct AuroraConnection<
    #[cfg(feature = "async-postgres")] C: Physical = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C: Physical,
> {
    pub(crate) shared: Arc<Shared<C>>,
    pub(crate) session: Session,
    pub(crate) lease: Option<Lease<C::Link>>,
    /// When the last statement ended.
    pub(crate) used_at: Instant,
    /// The connection must be closed, not returned: its state is not what others expect.
    pub(crate) dirty: bool,
    /// The statement whose answer is waited for; at any other time, the one whose future was
    /// dropped while it did.
    pub(crate) in_flight: Option<Classification>,
    /// Rows of a query that somebody left in the middle. Never locked: the mutex makes the session
    /// `Sync`, as diesel-async's connection is.
    pub(crate) leftover: Mutex<Option<C::Rows>>,
    /// Whether the future of a transaction was dropped before it had ended.
    pub(crate) abandoned: Arc<Abandoned>,
    /// How deep diesel-async is in transactions, whichever connection serves them.
    pub(crate) manager: AnsiTransactionManager,
    pub(crate) intents: Intents,
    pub(crate) instrumentation: Forward,
    /// Whether connections have to be told of this session's instrumentation.
    pub(crate) instrumented: bool,
    pub(crate) cache_size: Option<CacheSize>,
    /// Where the id of the last INSERT is, for drivers that are asked for it.
    pub(crate) insert_id: InsertId,
}

impl<C: Physical> AuroraConnection<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>) -> Self {
        let session = Session::new(shared.cluster.config().freshness());
        Self {
            shared,
            session,
            lease: None,
            used_at: Instant::now(),
            dirty: false,
            in_flight: None,
            leftover: Mutex::default(),
            abandoned: Arc::default(),
            manager: AnsiTransactionManager::default(),
            intents: Intents::default(),
            instrumentation: Forward::default(),
            instrumented: false,
            cache_size: None,
            insert_id: InsertId::None,
        }
    }

    /// The cluster behind the session.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// How recent the data must be that the session's reads see, until check-in.
    ///
    /// Defaults to the cluster's `freshness`.
    pub fn set_freshness(&mut self, freshness: Freshness) {
        self.session.set_freshness(freshness);
    }

    /// Builds a transaction with an isolation level and an access mode, as
    /// `AsyncPgConnection::build_transaction` does.
    ///
    /// A `read_only()` transaction runs on a reader, unless it is `serializable()`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::QueryResult;
    /// # async fn report(connection: &mut aurora_diesel::asynchronous::AuroraConnection) -> QueryResult<()> {
    /// connection.build_transaction().repeatable_read().read_only().run(async |connection| {
    ///     // Everything here sees the same snapshot, on the same reader.
    /// #   let _ = connection;
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_, C> {
        TransactionBuilder::new(self)
    }

    /// The physical connection to the writer, for what only the driver's own type can do:
    /// `&*connection.writer().await?` pipelines statements of PostgreSQL, for example.
    ///
    /// What is done with it is not seen, so the session stays on this connection until check-in,
    /// and the connection is closed then.
    ///
    /// # Errors
    ///
    /// When there is no writer within `failover_timeout`, or the session is in a transaction on a
    /// reader.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn writer(&mut self) -> QueryResult<&mut C> {
        self.heal();
        self.finish_leftover().await;
        let deadline = Deadline::of(&self.shared.cluster).no_later_than(self.session.limit());
        self.acquire(Need::Write, deadline).await?;
        let Self { lease, session, dirty, .. } = self;
        let Some(lease) = lease else { return Err(Error::BrokenTransactionManager) };
        if lease.role() != Role::Writer {
            let text = "the session is in a read-only transaction on a reader: end it before asking for the writer";
            let error = aurora_core::Error::new(aurora_core::ErrorKind::ReadOnly, text);
            return Err(errors::from_core(&error));
        }
        session.pin();
        session.wrote(Instant::now());
        *dirty = true;
        lease.connection().ok_or(Error::BrokenTransactionManager)
    }

    /// Ends what the session is in the middle of, as check-in does: an open transaction is rolled
    /// back with its connection, session state is gone, and the session can be used again.
    pub fn reset(&mut self) {
        self.heal();
        self.give_everything_back();
    }

    fn give_everything_back(&mut self) {
        self.release();
        self.session.reset();
        self.insert_id = InsertId::None;
        // A new one has to be allocated, and most sessions have begun no transaction.
        if self.depth() > 0 || AnsiTransactionManager::is_broken_transaction_manager(self) {
            self.manager = AnsiTransactionManager::default();
        }
    }

    /// Check-in: the session gives everything back and is as new, except for a test transaction,
    /// which goes on.
    pub(crate) fn check_in(&mut self) {
        self.heal();
        let is_test_transaction = self.session.in_transaction()
            && self.depth() > 0
            && !AnsiTransactionManager::is_broken_transaction_manager(self);
        if !is_test_transaction {
            self.give_everything_back();
        }
    }

    /// What to do about a text while the transaction is lost; `None` is "send it as ever".
    fn without_transaction(&mut self, classification: &Classification) -> Option<QueryResult<()>> {
        if !self.session.is_transaction_lost() {
            return None;
        }
        if let Verdict::Transaction(control) = classification.verdict() {
            let gives_up = matches!(
                control,
                TransactionControl::Rollback | TransactionControl::RollbackToSavepoint
            );
            if gives_up {
                let _ = self.session.gives_up_what_is_lost(classification);
                return Some(Ok(()));
            }
            if ends_transaction(classification) {
                // diesel-async does not roll back after a COMMIT that failed.
                self.give_up_transaction();
            }
        }
        Some(Err(lost("the transaction was lost with its connection: run all of it again")))
    }
}

impl<C: Physical> SimpleAsyncConnection for AuroraConnection<C> {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.heal();
        self.finish_leftover().await;
        let classification = self.shared.cluster.classify(query);
        if let Some(done) = self.without_transaction(&classification) {
            return done;
        }
        if query == CREATE_MIGRATIONS_TABLE {
            // Which migrations were applied must not be asked of a reader that is behind.
            self.session.force(Some(aurora_core::sql::Target::Writer));
        }
        if C::ABORTS_TRANSACTIONS
            && self.session.may_commit_nothing(&classification)
            && Box::pin(self.is_aborted(classification)).await
        {
            return Box::pin(self.roll_back_aborted()).await;
        }
        let rolls_back = matches!(
            classification.verdict(),
            Verdict::Transaction(
                TransactionControl::Rollback | TransactionControl::RollbackToSavepoint
            )
        );
        let in_transaction = self.session.in_transaction();
        let result = self.run(&mut Statement { classification, work: Work::Batch(query) }).await;
        match result {
            Ok(_) => Ok(()),
            // The connection broke under the ROLLBACK, which comes to the same.
            Err(_) if rolls_back && in_transaction && !self.session.in_transaction() => Ok(()),
            Err(error) => {
                if ends_transaction(&classification) {
                    // diesel-async does not roll back after a COMMIT that failed.
                    self.give_up_transaction();
                }
                Err(error)
            }
        }
    }
}

impl<C: Physical> AsyncConnectionCore for AuroraConnection<C> {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Rows<'conn, C>>>;
    type Stream<'conn, 'query> = Rows<'conn, C>;
    type Row<'conn, 'query> = C::OneRow;
    type Backend = C::Backend;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<C::Backend> + QueryId + 'query,
    {
        let (classification, query) = match self.collect(&source.as_query()) {
            Ok(collected) => collected,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let work = Work::Load(query, C::load_of::<T::Query>());
        let mut statement = Statement { classification, work };
        Box::pin(async move {
            match self.run(&mut statement).await? {
                Done::Rows(loaded) => Ok(Rows::new(loaded, self, classification)),
                Done::Batch | Done::Count(_) => Err(Error::NotFound),
            }
        })
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<C::Backend> + QueryId + 'query,
    {
        let (classification, query) = match self.collect(&source) {
            Ok(collected) => collected,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let work = Work::Count(query, C::count_of::<T>());
        let mut statement = Statement { classification, work };
        Box::pin(async move {
            match self.run(&mut statement).await? {
                Done::Count(count) => Ok(count),
                Done::Batch | Done::Rows(_) => Err(Error::NotFound),
            }
        })
    }
}

impl<C: Physical> AsyncConnection for AuroraConnection<C> {
    type TransactionManager = AnsiTransactionManager;

    /// Connects to the cluster that the URL describes, with monitoring of its own.
    ///
    /// For a pool use [`AuroraConnectionManager`]: its sessions share one cluster.
    async fn establish(database_url: &str) -> ConnectionResult<Self> {
        match AuroraConnectionManager::connect_url(database_url).await {
            Ok(manager) => Ok(manager.session()),
            Err(error) => Err(ConnectionError::BadConnection(error.to_string())),
        }
    }

    /// Runs `callback` in a transaction, or in a savepoint of the one that is open.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future undoes the transaction, unless its COMMIT was under way; dropping that
    /// of a savepoint loses the transaction around it, which fails until it is rolled back.
    async fn transaction<'a, 'conn, R, E, F>(&'conn mut self, callback: F) -> Result<R, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<R, E>
            + AsyncFunc<&'r mut Self, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        E: From<Error> + Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        self.heal();
        let depth = self.depth();
        let scope = TransactionScope::enter(&self.abandoned, depth);
        let result = AnsiTransactionManager::transaction(self, callback).await;
        scope.end();
        result
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.heal();
        &mut self.manager
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Forward::new(Some(Box::new(instrumentation)));
        self.instrumented = true;
        let forward = self.instrumentation.clone();
        if let Some(connection) = self.lease.as_mut().and_then(|lease| lease.connection()) {
            connection.set_instrumentation(forward);
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.cache_size = Some(size);
        if let Some(connection) = self.lease.as_mut().and_then(|lease| lease.connection()) {
            connection.set_prepared_statement_cache_size(size);
        }
    }
}

/// For pools that are made for diesel-async's connections.
impl<C: Physical> diesel_async::pooled_connection::PoolableConnection for AuroraConnection<C> {
    /// Asked at check-in: gives the connection back.
    fn is_broken(&mut self) -> bool {
        if !std::thread::panicking() {
            self.check_in();
        }
        std::thread::panicking()
    }
}

impl<C: Physical> Drop for AuroraConnection<C> {
    /// What is clean serves others.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.close_lease();
        }
        self.release();
    }
}

impl<C: Physical> fmt::Debug for AuroraConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraConnection")
            .field("lease", &self.lease)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_move_between_threads_as_connections_of_diesel_async_do() {
        fn moves<T: Send + Sync + 'static>() -> &'static str {
            std::any::type_name::<T>()
        }
        #[cfg(feature = "async-postgres")]
        assert_ne!(moves::<AuroraConnection>(), moves::<AuroraConnectionManager>());
        #[cfg(feature = "async-mysql")]
        assert_ne!(
            moves::<AuroraConnection<diesel_async::AsyncMysqlConnection>>(),
            moves::<AuroraConnectionManager<diesel_async::AsyncMysqlConnection>>()
        );
    }

    /// glibc's malloc serves up to 1032 bytes from what the thread itself has freed: what is larger
    /// costs several times as much, with every statement.
    #[cfg(feature = "async-postgres")]
    #[test]
    fn the_future_of_a_statement_is_cheap_to_allocate() {
        fn size<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
            size_of::<F>()
        }
        let run = size(|session: &'static mut AuroraConnection, statement| session.run(statement));
        let all = run + size_of::<Statement<'_, AsyncPgConnection>>() + size_of::<[usize; 8]>();
        assert!(all <= 1032, "{all}");
    }
}
