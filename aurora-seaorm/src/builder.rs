//! [`Builder`]: how the pools behind an [`AuroraConnection`] are made.

use std::fmt;

use aurora_core::Cluster;
use futures_util::future::BoxFuture;

use crate::connection::AuroraConnection;
use crate::open::{Opener, Preparations};
use crate::pools::Pools;

/// As many as sqlx's own pools hold.
const MAX_CONNECTIONS: usize = 10;

/// Sets up an [`AuroraConnection`].
pub struct Builder {
    cluster: Cluster,
    max_connections: usize,
    prepare: Preparations,
}

impl Builder {
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self { cluster, max_connections: MAX_CONNECTIONS, prepare: Preparations::default() }
    }

    /// How many connections there are to each instance at most; 10 if not set, at least 1.
    ///
    /// Of those that are not used, the cluster's `max_idle_per_instance` are kept.
    #[must_use]
    pub fn max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections.max(1);
        self
    }

    /// Prepares every new connection to a cluster of PostgreSQL, for settings all sessions share.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use aurora_seaorm::{AuroraConnection, Cluster};
    /// # fn example(cluster: Cluster) -> AuroraConnection {
    /// AuroraConnection::builder(cluster)
    ///     .on_connect(|connection| {
    ///         Box::pin(async move {
    ///             let set = sqlx::raw_sql("SET statement_timeout = '5s'");
    ///             set.execute(connection).await.map(|_| ())
    ///         })
    ///     })
    ///     .build()
    /// # }
    /// ```
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn on_connect(
        mut self,
        on_connect: impl for<'c> Fn(
            &'c mut sqlx::PgConnection,
        ) -> BoxFuture<'c, Result<(), sqlx::Error>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.prepare.postgres = Some(Box::new(on_connect));
        self
    }

    /// Prepares every new connection to a cluster of MySQL or MariaDB, for settings all sessions
    /// share. What sqlx itself sets for its connections (`time_zone`, `NAMES`, and in `sql_mode`
    /// `PIPES_AS_CONCAT` and `NO_ENGINE_SUBSTITUTION`) is set before.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use aurora_seaorm::{AuroraConnection, Cluster};
    /// # fn example(cluster: Cluster) -> AuroraConnection {
    /// AuroraConnection::builder(cluster)
    ///     .on_connect_mysql(|connection| {
    ///         Box::pin(async move {
    ///             let set = sqlx::raw_sql("SET SESSION innodb_lock_wait_timeout = 5");
    ///             set.execute(connection).await.map(|_| ())
    ///         })
    ///     })
    ///     .build()
    /// # }
    /// ```
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn on_connect_mysql(
        mut self,
        on_connect: impl for<'c> Fn(
            &'c mut sqlx::MySqlConnection,
        ) -> BoxFuture<'c, Result<(), sqlx::Error>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.prepare.mysql = Some(Box::new(on_connect));
        self
    }

    /// The handle. It opens no connection: the first statement does.
    #[must_use]
    pub fn build(self) -> AuroraConnection {
        let opener = Opener::new(self.cluster.config(), self.prepare);
        AuroraConnection::of(Pools::new(self.cluster, self.max_connections, opener))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("cluster", &self.cluster)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
