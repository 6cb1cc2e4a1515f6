//! [`AuroraConnection`]: a logical session, usable wherever diesel-async expects a connection.

mod traits;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aurora_core::session::Session;
use aurora_core::sql::Classification;
use aurora_core::{Cluster, Deadline, Freshness, Lease, Need, Role};
use diesel::connection::CacheSize;
use diesel::result::{Error, QueryResult};
#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;
use diesel_async::{AnsiTransactionManager, TransactionManager as _};

use super::builder::TransactionBuilder;
use super::driver::Physical;
use super::driver::sealed::Link as _;
use super::insert_id::InsertId;
use super::manager::Shared;
use super::scope::Abandoned;
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
    /// In a place of its own, as is what else is large: pools move the connection about with every
    /// check-out.
    pub(crate) session: Box<Session>,
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
    pub(crate) intents: Box<Intents>,
    pub(crate) instrumentation: Forward,
    /// Whether connections have to be told of this session's instrumentation.
    pub(crate) instrumented: bool,
    pub(crate) cache_size: Option<CacheSize>,
    /// Where the id of the last INSERT is, for drivers that are asked for it.
    pub(crate) insert_id: InsertId,
}

impl<C: Physical> AuroraConnection<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>) -> Self {
        let session = Box::new(Session::new(shared.cluster.config().freshness()));
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
            intents: Box::default(),
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
mod tests;
