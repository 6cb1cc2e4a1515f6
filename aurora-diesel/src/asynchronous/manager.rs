//! [`AuroraConnectionManager`]: what a pool is given.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::{Cluster, Config, Error, ErrorKind, Instance, Lease, Outcome, Store};
use diesel::result::QueryResult;
#[cfg(feature = "async-mysql")]
use diesel_async::AsyncMysqlConnection;
#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{Condition, Link};
use crate::errors;
use crate::intent::Refusals;

/// Prepares a new physical connection.
type OnConnect<C> = dyn for<'a> Fn(&'a mut C) -> BoxFuture<'a, QueryResult<()>> + Send + Sync;

/// Makes the sessions of a pool, and keeps the physical connections behind them.
///
/// Give it to the pool of bb8, deadpool or mobc (features `bb8`, `deadpool`, `mobc`). The pool's
/// items are logical sessions, which cost nothing while idle and hold no connection: that goes
/// back at check-in. Physical connections are opened per instance when a statement needs one, and
/// shared by all the sessions of the manager. Clones share them too.
///
/// So a check-out asks nothing of a server: whether a connection leads to an instance that still
/// is what it was is one comparison, when it is leased, with the topology of that moment.
pub struct AuroraConnectionManager<
    #[cfg(feature = "async-postgres")] C: Physical = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C: Physical,
> {
    shared: Arc<Shared<C>>,
}

impl<C: Physical> Clone for AuroraConnectionManager<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the sessions of one manager share.
pub(crate) struct Shared<C: Physical> {
    pub(crate) cluster: Cluster,
    pub(crate) store: Arc<Store<C::Link>>,
    pub(crate) refusals: Refusals,
    on_connect: Option<Box<OnConnect<C>>>,
}

#[cfg(feature = "async-postgres")]
impl AuroraConnectionManager<AsyncPgConnection> {
    /// A manager of connections to `cluster`, of PostgreSQL.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self::build(cluster, None)
    }

    /// Connects to the cluster that the URL describes, and manages connections to it.
    ///
    /// # Errors
    ///
    /// See [`Config::from_url`] and [`Cluster::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    pub async fn from_url(url: &str) -> Result<Self, Error> {
        Self::connect_url(url).await
    }

    /// A manager that prepares every new physical connection with `on_connect`, for settings all
    /// sessions share (`SET statement_timeout = …`). It may take as long as `connect_timeout`
    /// leaves it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use aurora_diesel::{Cluster, asynchronous::AuroraConnectionManager};
    /// # fn example(cluster: Cluster) {
    /// use diesel_async::SimpleAsyncConnection;
    ///
    /// let manager = AuroraConnectionManager::with_on_connect(cluster, |connection| {
    ///     Box::pin(connection.batch_execute("SET statement_timeout = '5s'"))
    /// });
    /// # let _ = manager;
    /// # }
    /// ```
    #[must_use]
    pub fn with_on_connect(
        cluster: Cluster,
        on_connect: impl for<'a> Fn(&'a mut AsyncPgConnection) -> BoxFuture<'a, QueryResult<()>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::build(cluster, Some(Box::new(on_connect)))
    }
}

#[cfg(feature = "async-mysql")]
impl AuroraConnectionManager<AsyncMysqlConnection> {
    /// A manager of connections to `cluster`, of MySQL or MariaDB.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use aurora_diesel::asynchronous::AuroraConnectionManager;
    /// use aurora_diesel::{Cluster, Config};
    /// use diesel_async::RunQueryDsl;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::from_url("mysql://app:secret@db1.example.com,db2.example.com/shop")?;
    /// let manager = AuroraConnectionManager::mysql(Cluster::connect(config).await?);
    /// let mut session = manager.session();
    /// diesel::sql_query("UPDATE carts SET open = 0").execute(&mut session).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn mysql(cluster: Cluster) -> Self {
        Self::build(cluster, None)
    }

    /// Connects to the cluster that the URL describes, and manages connections to it.
    ///
    /// # Errors
    ///
    /// See [`Config::from_url`] and [`Cluster::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    pub async fn mysql_from_url(url: &str) -> Result<Self, Error> {
        Self::connect_url(url).await
    }

    /// Like [`AuroraConnectionManager::mysql`], but prepares every new physical connection with
    /// `on_connect`, for settings all sessions share (`SET SESSION max_execution_time = …`). It may
    /// take as long as `connect_timeout` leaves it.
    #[must_use]
    pub fn mysql_with_on_connect(
        cluster: Cluster,
        on_connect: impl for<'a> Fn(&'a mut AsyncMysqlConnection) -> BoxFuture<'a, QueryResult<()>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::build(cluster, Some(Box::new(on_connect)))
    }
}

impl<C: Physical> AuroraConnectionManager<C> {
    pub(crate) async fn connect_url(url: &str) -> Result<Self, Error> {
        Ok(Self::build(Cluster::connect(Config::from_url(url)?).await?, None))
    }

    fn build(cluster: Cluster, on_connect: Option<Box<OnConnect<C>>>) -> Self {
        let store = cluster.new_store();
        let refusals = Refusals::default();
        Self { shared: Arc::new(Shared { cluster, store, refusals, on_connect }) }
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

impl<C: Physical> Shared<C> {
    /// Opens a physical connection; it ends when its instance is declared lost.
    pub(crate) async fn connect(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Lease<C::Link>, Error> {
        let breaks = instance.stats().breaks();
        let mut link = <C::Link as Link<C>>::open(&self.cluster, instance, deadline).await?;
        if let Some(on_connect) = &self.on_connect
            && let Some(connection) = link.connection()
        {
            let prepared = self.cluster.until(deadline, on_connect(connection)).await;
            if prepared.is_none() {
                link.sever();
            }
            self.judge(prepared, &mut link, instance).await?;
        }
        let abort = link.abort();
        let mut lease = Lease::new(link, instance, breaks, Instant::now());
        self.store.watch(&mut lease, abort);
        Ok(lease)
    }

    /// What became of `on_connect`: its own fault, or the connection's?
    async fn judge(
        &self,
        prepared: Option<QueryResult<()>>,
        link: &mut C::Link,
        instance: &Instance,
    ) -> Result<(), Error> {
        let (kind, text) = match prepared {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => {
                let message = errors::driver_message(&error);
                let until = Instant::now() + self.cluster.config().probe_timeout();
                match self.cluster.until(until, link.condition()).await {
                    Some(Condition::Usable | Condition::InFailedTransaction) => {
                        let text = format!("on_connect failed on a new connection: {message}");
                        (ErrorKind::Statement, text)
                    }
                    Some(Condition::Closed) | None => (ErrorKind::ConnectionLost, message),
                }
            }
            None => (ErrorKind::Deadline, "on_connect did not end before the deadline".to_owned()),
        };
        Err(Error::new(kind, text).with_outcome(Outcome::NotApplied).on(instance.id()))
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
