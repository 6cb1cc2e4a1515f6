//! Registration with SeaORM's `Database`.

use std::sync::Arc;
use std::time::Instant;

use aurora_core::{Cluster, Config, Role};
use futures_util::FutureExt as _;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::follow::{Target, follow};

/// `Database::connect_aurora(url)`: connects to a cluster, with every statement routed.
pub trait ConnectAurora {
    /// Connects to the cluster that the URL describes, and waits until its topology is known.
    ///
    /// # Errors
    ///
    /// [`DbErr::Conn`]; see [`Config::from_url`], [`Cluster::connect`] and [`crate::cause`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use aurora_seaorm::ConnectAurora as _;
    /// use sea_orm::Database;
    ///
    /// # async fn example() -> Result<(), sea_orm::DbErr> {
    /// let db = Database::connect_aurora("postgres://app:secret@db1,db2/shop").await?;
    /// println!("{}", db.cluster().status());
    /// # Ok(())
    /// # }
    /// ```
    fn connect_aurora(
        url: impl Into<String>,
    ) -> impl Future<Output = Result<AuroraConnection, DbErr>> + Send;
}

impl ConnectAurora for Database {
    fn connect_aurora(
        url: impl Into<String>,
    ) -> impl Future<Output = Result<AuroraConnection, DbErr>> + Send {
        let config = Config::from_url(&url.into());
        async move {
            let cluster = Cluster::connect(config.map_err(errors::conn_err)?).await;
            Ok(AuroraConnection::new(cluster.map_err(errors::conn_err)?))
        }
    }
}

/// Lets SeaORM's own `Database::connect(options)` return an ordinary [`DatabaseConnection`] that
/// follows the cluster, for the APIs that insist on that type.
///
/// # Examples
///
/// ```no_run
/// use aurora_seaorm::{AuroraConnectOptions as _, Cluster, Role};
/// use sea_orm::{ConnectOptions, Database, DatabaseConnection};
///
/// # async fn example(cluster: Cluster) -> Result<DatabaseConnection, sea_orm::DbErr> {
/// let mut options = ConnectOptions::for_cluster(&cluster, Role::Writer);
/// options.max_connections(20);
/// Database::connect(options).await
/// # }
/// ```
pub trait AuroraConnectOptions: Sized {
    /// Options of SeaORM's defaults with [`AuroraConnectOptions::aurora`].
    #[must_use]
    fn for_cluster(cluster: &Cluster, role: Role) -> Self;

    /// Has the pool follow the writer of `cluster` ([`Role::Writer`], also [`Role::Unknown`]), or
    /// its readers ([`Role::Reader`]), through failovers.
    ///
    /// The address, the user, the password, the database and TLS are the cluster's, whatever the
    /// URL of these options says, which must be one that SeaORM accepts. Waiting for a connection
    /// takes at most `failover_timeout`, unless `acquire_timeout` is called after this. Used for
    /// this are `connect_lazy`, `after_connect` and the hooks of sqlx's pool, so
    /// `set_schema_search_path` has no effect: say `options=-c search_path=…` in the cluster's
    /// URL.
    ///
    /// Readers take turns, connection by connection; connections that are opened at the same moment
    /// lead to the same reader.
    ///
    /// sqlx's pool opens its connections by itself, so the cluster's `connect_rate` does not hold
    /// for it: after a failover it opens as many at once as `max_connections` allows and tasks ask
    /// for, to one place. While that refuses, or has no slot left (53300), sqlx tries again by its
    /// own rules until `acquire_timeout`.
    ///
    /// Where the password changes while the program runs, such a pool notices within about 5 s,
    /// by a login of its own; a connection that it opens before that is refused.
    ///
    /// No statement is routed or run again: that is what [`AuroraConnection`] does. One that waits
    /// for an instance that is declared lost fails at once, on Linux and unless a proxy changes the
    /// ports of connections. The pool is kept up to date until it or the cluster is closed;
    /// end it with [`DatabaseConnection::close`].
    fn aurora(&mut self, cluster: &Cluster, role: Role) -> &mut Self;
}

impl AuroraConnectOptions for ConnectOptions {
    fn for_cluster(cluster: &Cluster, role: Role) -> Self {
        let mut options = Self::new("postgres://cluster");
        options.aurora(cluster, role);
        options
    }

    fn aurora(&mut self, cluster: &Cluster, role: Role) -> &mut Self {
        let target = Arc::new(Target::new(cluster.clone(), role, None));
        let (first, hooks) = (Arc::clone(&target), Arc::clone(&target));
        // The pool must be followed before its first connection: it may have to wait for a writer.
        self.connect_lazy(true)
            .acquire_timeout(cluster.config().failover_timeout())
            .map_sqlx_postgres_opts(move |given| first.begin(Some(given)))
            .map_sqlx_postgres_pool_opts(move |pool| hooks.hook(pool))
            .after_connect(move |database| start(Arc::clone(&target), database).boxed())
    }
}

/// Starts to follow, and proves that there is something to follow.
async fn start(target: Arc<Target>, database: DatabaseConnection) -> Result<(), DbErr> {
    let pool = database.get_postgres_connection_pool().clone();
    let events = target.cluster().events();
    tokio::spawn(follow(Arc::clone(&target), pool, events));
    let deadline = Instant::now() + target.cluster().config().connect_timeout();
    let found = target.cluster().wait_for(target.need(), deadline).await;
    let proven = match found {
        Ok(_) => database.ping().await,
        Err(error) => Err(errors::conn_err(error)),
    };
    if proven.is_err() {
        // Ends the task that follows.
        database.close_by_ref().await?;
    }
    proven
}
