//! [`AuroraConnection`]: a logical session, usable wherever Diesel expects a connection.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Session;
use aurora_core::sql::{Classification, Target};
use aurora_core::{Cluster, Deadline, ErrorKind, Family, Freshness, Lease, Need, Role};
use diesel::connection::{
    AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, Instrumentation,
    SimpleConnection,
};
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, QueryResult};

use crate::errors;
use crate::instrument::Forward;
use crate::intent::{Intents, render};
use crate::manager::{AuroraConnectionManager, Physical, Shared};
use crate::recover::Statement;

/// A session with the cluster that sends each statement where it belongs: reads to readers,
/// everything else to the writer.
///
/// * A transaction runs on one connection: to the writer, or to a reader when it was begun
///   `READ ONLY` (but not `SERIALIZABLE`, which readers cannot).
/// * The session reads what it wrote: its reads stay with the writer until a reader is measured
///   to have caught up. See [`AuroraConnection::set_freshness`].
/// * A statement that changes the session (`SET`, `LISTEN`, temporary tables, advisory locks, …)
///   pins it to its connection until check-in, when that connection is closed.
/// * A read that fails because its instance died is run again elsewhere. A write is never run
///   twice: when its connection was lost, [`crate::outcome`] says whether it was applied.
///
/// The traits of Diesel are implemented as far as their bounds allow; the crate's documentation
/// lists what differs from Diesel's own connection. What needs the physical connection
/// (`COPY TO`, …) finds it behind [`AuroraConnection::writer`].
///
/// # Examples
///
/// ```no_run
/// use aurora_diesel::AuroraConnectionManager;
/// use diesel::prelude::*;
/// use diesel::sql_types::BigInt;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AuroraConnectionManager::<PgConnection>::from_url("postgres://app:secret@db1,db2/shop")?;
/// let mut connection = manager.session();
/// // Runs on a reader:
/// let answer: i64 = diesel::select(diesel::dsl::sql::<BigInt>("6::bigint * 7")).get_result(&mut connection)?;
/// // Runs on the writer:
/// diesel::sql_query("UPDATE carts SET open = false").execute(&mut connection)?;
/// # Ok(())
/// # }
/// ```
pub struct AuroraConnection<C: Physical> {
    pub(crate) shared: Arc<Shared<C>>,
    pub(crate) lease: Option<Lease<C>>,
    /// When the last statement ended.
    pub(crate) used_at: Instant,
    /// The connection must be closed, not returned: its state is not what others expect.
    pub(crate) dirty: bool,
    /// In a place of its own, as is what else is large: pools move the connection about with every
    /// check-out.
    pub(crate) session: Box<Session>,
    /// How many transactions deep Diesel was when the last statement began.
    pub(crate) depth: u32,
    /// What Diesel sees while no connection is in a transaction.
    pub(crate) idle: AnsiTransactionManager,
    pub(crate) intents: Box<Intents>,
    pub(crate) instrumentation: Forward,
    /// Whether connections have to be told of this session's instrumentation.
    pub(crate) instrumented: bool,
    pub(crate) cache_size: Option<CacheSize>,
    /// What the driver needs to have kept.
    pub(crate) memory: C::Memory,
    /// What the next text is, where the session knows better than the text tells.
    pub(crate) announced: Option<Classification>,
}

impl<C: Physical> AuroraConnection<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>) -> Self {
        let freshness = shared.cluster.config().freshness();
        Self {
            shared,
            lease: None,
            used_at: Instant::now(),
            dirty: false,
            session: Box::new(Session::new(freshness)),
            depth: 0,
            idle: AnsiTransactionManager::default(),
            intents: Box::default(),
            instrumentation: Forward::default(),
            instrumented: false,
            cache_size: None,
            memory: C::Memory::default(),
            announced: None,
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

    /// Runs `work` with every statement sent to the writer.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub fn on_writer<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.forced(Target::Writer, work)
    }

    /// Runs `work` with its reads sent to readers, however far behind the session's own writes
    /// they are. Writes still go to the writer.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub fn on_reader<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.forced(Target::Reader, work)
    }

    fn forced<T, E>(
        &mut self,
        target: Target,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.session.force(Some(target));
        let result = work(self);
        self.session.force(before);
        result
    }

    /// The physical connection to the writer, for what only the driver's own type can do.
    ///
    /// What is done with it is not seen, so the session stays on this connection until check-in,
    /// and the connection is closed then.
    ///
    /// # Errors
    ///
    /// When there is no writer within `failover_timeout`, or the session is in a transaction on a
    /// reader.
    pub fn writer(&mut self) -> QueryResult<&mut C> {
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        self.acquire(Need::Write, deadline)?;
        if self.lease.as_ref().is_some_and(|lease| lease.role() != Role::Writer) {
            let text = "the session is in a read-only transaction on a reader: end it before asking for the writer";
            return Err(errors::from_core(&aurora_core::Error::new(ErrorKind::ReadOnly, text)));
        }
        self.session.pin();
        self.session.wrote(Instant::now());
        self.leased()
    }

    /// Ends what the session is in the middle of, as check-in does: an open transaction is rolled
    /// back with its connection, session state is gone, and the session can be used again.
    pub fn reset(&mut self) {
        self.release();
        self.idle = AnsiTransactionManager::default();
        self.session.reset();
        self.memory = C::Memory::default();
    }
}

impl<C: Physical> SimpleConnection for AuroraConnection<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let announced = self.announced.take();
        let classification = announced.unwrap_or_else(|| self.shared.cluster.classify(query));
        if self.session.gives_up_what_is_lost(&classification) {
            return Ok(());
        }
        if self.session.may_commit_nothing(&classification) {
            self.refuse_if_aborted()?;
        }
        let statement = Statement::of_text(classification, query);
        let result = self.run(&statement, |connection| connection.batch_execute(query));
        if result.is_err() && self.session.gives_up_what_is_lost(&classification) {
            // The connection broke under the ROLLBACK, which comes to the same.
            return Ok(());
        }
        result
    }
}

impl<C: Physical> ConnectionSealed for AuroraConnection<C> {}

impl<C: Physical> Connection for AuroraConnection<C> {
    type Backend = C::Backend;
    type TransactionManager = AnsiTransactionManager;

    /// Connects to the cluster that the URL describes, with monitoring of its own.
    ///
    /// For a pool use [`AuroraConnectionManager`]: its sessions share one cluster.
    fn establish(database_url: &str) -> ConnectionResult<Self> {
        AuroraConnectionManager::from_url(database_url)
            .map(|manager| manager.session())
            .map_err(|error| ConnectionError::BadConnection(error.to_string()))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        let text = || render::<C::Backend, T>(source);
        let statement = Statement::of_query(self.classify(source)?, &text);
        self.run(&statement, |connection| connection.execute_returning_count(source))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        // MySQL may have committed what Diesel still takes for open.
        let is_kept = C::FAMILY == Family::MySql && !self.transaction_is_over();
        match &mut self.lease {
            Some(lease) if is_kept || self.session.in_transaction() => lease.transaction_state(),
            Some(_) | None => &mut self.idle,
        }
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Forward::new(Some(Box::new(instrumentation)));
        self.instrumented = true;
        let forward = self.instrumentation.clone();
        if let Some(lease) = &mut self.lease {
            lease.set_instrumentation(forward);
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.cache_size = Some(size);
        if let Some(lease) = &mut self.lease {
            lease.set_prepared_statement_cache_size(size);
        }
    }
}

impl<C: Physical> AuroraConnection<C> {
    pub(crate) fn classify<T>(&mut self, source: &T) -> QueryResult<Classification>
    where
        T: QueryFragment<C::Backend> + QueryId,
    {
        self.intents.classify::<C::Backend, T>(source, &self.shared.cluster, &self.shared.refusals)
    }
}

impl<C: Physical> Drop for AuroraConnection<C> {
    /// What is clean serves others.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.release();
        }
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
