//! Registration with SeaORM's `Database`.

use std::sync::Arc;
use std::time::Instant;

use aurora_core::{Cluster, Config, Error, ErrorKind, Family, Role};
use futures_util::FutureExt as _;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

use crate::connection::AuroraConnection;
use crate::engine::{Engine, backend};
use crate::errors;
use crate::follow::{Target, follow};
use crate::open;

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
        let mut options = Self::new(match cluster.config().family() {
            Family::MySql => "mysql://cluster",
            _ => "postgres://cluster",
        });
        options.aurora(cluster, role);
        options
    }

    fn aurora(&mut self, cluster: &Cluster, role: Role) -> &mut Self {
        // The pool must be followed before its first connection: it may have to wait for a writer.
        self.connect_lazy(true).acquire_timeout(cluster.config().failover_timeout());
        match cluster.config().family() {
            #[cfg(feature = "mysql")]
            Family::MySql => install::<sqlx::MySql>(self, cluster, role),
            #[cfg(feature = "postgres")]
            Family::Postgres => install::<sqlx::Postgres>(self, cluster, role),
            _ => {
                let cluster = cluster.clone();
                self.after_connect(move |database| {
                    refuse(open::missing(cluster.config()), database).boxed()
                })
            }
        }
    }
}

fn install<'o, E: Engine>(
    options: &'o mut ConnectOptions,
    cluster: &Cluster,
    role: Role,
) -> &'o mut ConnectOptions {
    let target = Arc::new(Target::<E>::new(cluster.clone(), role, None));
    E::install(options, &target);
    options.after_connect(move |database| start(Arc::clone(&target), database).boxed())
}

/// Starts to follow, and proves that there is something to follow.
async fn start<E: Engine>(
    target: Arc<Target<E>>,
    database: DatabaseConnection,
) -> Result<(), DbErr> {
    let Some(pool) = E::pool(&database) else {
        let wanted = backend(target.cluster().config());
        let text = format!("the URL of these options is not one of {wanted:?}, as the cluster is");
        return refuse(Error::new(ErrorKind::Configuration, text), database).await;
    };
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

/// Closes a pool that leads nowhere.
async fn refuse(error: Error, database: DatabaseConnection) -> Result<(), DbErr> {
    database.close_by_ref().await?;
    Err(errors::conn_err(error))
}
