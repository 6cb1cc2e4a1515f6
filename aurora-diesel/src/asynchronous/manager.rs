//! [`AuroraConnectionManager`]: what a pool is given.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::{Cluster, Config, Error, ErrorKind, Instance, Lease, Outcome, Store};
use diesel::result::QueryResult;
use diesel_async::AsyncPgConnection;
use futures_core::future::BoxFuture;

use super::connection::AuroraConnection;
use super::physical::{Condition, Physical};
use crate::errors;
use crate::intent::Refusals;

/// Prepares a new physical connection.
type OnConnect =
    dyn for<'a> Fn(&'a mut AsyncPgConnection) -> BoxFuture<'a, QueryResult<()>> + Send + Sync;

/// Makes the sessions of a pool, and keeps the physical connections behind them.
///
/// Give it to the pool of bb8, deadpool or mobc (features `bb8`, `deadpool`, `mobc`). The pool's
/// items are logical sessions, which cost nothing while idle and hold no connection: that goes
/// back at check-in. Physical connections are opened per instance when a statement needs one, and
/// shared by all the sessions of the manager. Clones share them too.
///
/// So a check-out asks nothing of a server: whether a connection leads to an instance that still
/// is what it was is one comparison, when it is leased, with the topology of that moment.
#[derive(Clone)]
pub struct AuroraConnectionManager {
    shared: Arc<Shared>,
}

/// What the sessions of one manager share.
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) store: Arc<Store<Physical>>,
    pub(crate) refusals: Refusals,
    on_connect: Option<Box<OnConnect>>,
}

impl AuroraConnectionManager {
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
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    pub async fn from_url(url: &str) -> Result<Self, Error> {
        Ok(Self::new(Cluster::connect(Config::from_url(url)?).await?))
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

    fn build(cluster: Cluster, on_connect: Option<Box<OnConnect>>) -> Self {
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
    pub fn session(&self) -> AuroraConnection {
        AuroraConnection::new(Arc::clone(&self.shared))
    }
}

impl Shared {
    /// Opens a physical connection; it ends when its instance is declared lost.
    pub(crate) async fn connect(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Lease<Physical>, Error> {
        let breaks = instance.stats().breaks();
        let mut physical = Physical::open(&self.cluster, instance, deadline).await?;
        if let Some(on_connect) = &self.on_connect {
            let prepared = on_connect(&mut physical.connection);
            let prepared = self.cluster.until(deadline, prepared).await;
            self.judge(prepared, &mut physical, instance).await?;
        }
        let driver = physical.abort_handle();
        let mut lease = Lease::new(physical, instance, breaks, Instant::now());
        self.store.watch(&mut lease, move || driver.abort());
        Ok(lease)
    }

    /// What became of `on_connect`: its own fault, or the connection's?
    async fn judge(
        &self,
        prepared: Option<QueryResult<()>>,
        physical: &mut Physical,
        instance: &Instance,
    ) -> Result<(), Error> {
        let (kind, text) = match prepared {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => {
                let message = errors::driver_message(&error);
                let until = Instant::now() + self.cluster.config().probe_timeout();
                match self.cluster.until(until, physical.condition()).await {
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

impl fmt::Debug for AuroraConnectionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraConnectionManager")
            .field("cluster", &self.shared.cluster)
            .field("idle", &self.shared.store)
            .finish()
    }
}
