//! [`AuroraConnectionManager`]: what a pool is given.

mod connect;
pub(crate) mod sealed;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use aurora_core::{Cluster, Config, Store};
use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, LoadConnection};
use diesel::result::QueryResult;

pub(crate) use self::connect::NotConnected;
use crate::connection::AuroraConnection;
use crate::intent::Refusals;

/// A connection of Diesel's own that sessions lease: `diesel::PgConnection`, and with the feature
/// `mysql` `diesel::MysqlConnection`.
///
/// Sealed: it is implemented here for every driver that is supported.
pub trait Physical:
    LoadConnection<
        Backend: Backend<QueryBuilder: Default> + Default,
        TransactionManager = AnsiTransactionManager,
    > + sealed::Open
    + 'static
{
}

/// Prepares a new physical connection.
type OnConnect<C> = dyn Fn(&mut C) -> QueryResult<()> + Send + Sync;

/// Makes the sessions of a pool, and keeps the physical connections behind them.
///
/// Give it to `r2d2::Pool`. The pool's items are logical sessions, which cost nothing while idle;
/// physical connections are opened per instance when a statement needs one, and shared by all the
/// sessions of the manager. Clones share them too.
///
/// # Examples
///
/// ```no_run
/// use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
/// use diesel::PgConnection;
/// use diesel::r2d2::Pool;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::from_url("postgres://app:secret@db1.example.com,db2.example.com/shop")?;
/// let cluster = Cluster::connect_blocking(config)?;
/// let pool = Pool::builder()
///     .max_size(8)
///     .build(AuroraConnectionManager::<PgConnection>::new(cluster))?;
/// # Ok(())
/// # }
/// ```
pub struct AuroraConnectionManager<C: Physical> {
    shared: Arc<Shared<C>>,
}

/// What the sessions of one manager share.
pub(crate) struct Shared<C: Physical> {
    pub(crate) cluster: Cluster,
    pub(crate) store: Arc<Store<C>>,
    pub(crate) refusals: Refusals,
    /// Tells the sockets of the connections apart.
    marks: AtomicU32,
    on_connect: Option<Box<OnConnect<C>>>,
}

impl<C: Physical> AuroraConnectionManager<C> {
    /// A manager of connections to `cluster`.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self::build(cluster, None)
    }

    /// Connects to the cluster that the URL describes, and manages connections to it.
    ///
    /// # Errors
    ///
    /// See [`Config::from_url`] and [`Cluster::connect`].
    pub fn from_url(url: &str) -> Result<Self, aurora_core::Error> {
        Ok(Self::new(Cluster::connect_blocking(Config::from_url(url)?)?))
    }

    /// A manager that prepares every new physical connection with `on_connect`, for settings all
    /// sessions share (`SET statement_timeout = …`).
    ///
    /// r2d2's `CustomizeConnection::on_acquire` is no place for that: it sees the logical session
    /// once, and physical connections come and go behind it.
    #[must_use]
    pub fn with_on_connect(
        cluster: Cluster,
        on_connect: impl Fn(&mut C) -> QueryResult<()> + Send + Sync + 'static,
    ) -> Self {
        Self::build(cluster, Some(Box::new(on_connect)))
    }

    fn build(cluster: Cluster, on_connect: Option<Box<OnConnect<C>>>) -> Self {
        let store = cluster.new_store();
        let refusals = Refusals::default();
        let marks = AtomicU32::new(0);
        Self { shared: Arc::new(Shared { cluster, store, refusals, marks, on_connect }) }
    }

    /// The cluster the connections lead to.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// A new session. It opens no connection: its first statement does.
    #[must_use]
    pub fn session(&self) -> AuroraConnection<C> {
        AuroraConnection::new(Arc::clone(&self.shared))
    }
}

impl<C: Physical> Clone for AuroraConnectionManager<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Physical> fmt::Debug for AuroraConnectionManager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraConnectionManager")
            .field("cluster", &self.shared.cluster)
            .field("idle", &self.shared.store)
            .finish()
    }
}

#[cfg(feature = "r2d2")]
impl<C: Physical> diesel::r2d2::ManageConnection for AuroraConnectionManager<C> {
    type Connection = AuroraConnection<C>;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    fn connect(&self) -> Result<AuroraConnection<C>, aurora_core::Error> {
        Ok(self.session())
    }

    /// A session holds no connection between two check-outs, so there is nothing that could have
    /// become invalid, and nothing is asked of a server; connections are proven when leased.
    fn is_valid(&self, session: &mut AuroraConnection<C>) -> Result<(), aurora_core::Error> {
        session.drop_stale();
        Ok(())
    }

    /// Called at check-in: gives the connections back.
    fn has_broken(&self, session: &mut AuroraConnection<C>) -> bool {
        if std::thread::panicking() {
            return true;
        }
        session.check_in()
    }
}

#[cfg(feature = "r2d2")]
impl<C: Physical> diesel::r2d2::R2D2Connection for AuroraConnection<C> {
    fn ping(&mut self) -> QueryResult<()> {
        self.drop_stale();
        Ok(())
    }

    fn is_broken(&mut self) -> bool {
        use diesel::connection::TransactionManager as _;
        AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}
