//! Opening a connection to one instance: the login, and the proof that it is what it is known for.

use std::fmt;
use std::io;
use std::time::Instant;

use aurora_core::{Cluster, Config, Error, ErrorKind, Family, Instance, OwnSocket};
use sqlx::{ConnectOptions as _, Database};

use crate::engine::{self, Engine, Link, OnConnect, OptionsOf};
use crate::errors;

/// How connections to the cluster are opened: decided once, by its URL.
#[derive(Debug)]
pub(crate) enum Opener {
    #[cfg(feature = "mysql")]
    MySql(Box<Way<sqlx::MySql>>),
    #[cfg(feature = "postgres")]
    Postgres(Box<Way<sqlx::Postgres>>),
    /// The feature for this family is not enabled.
    Missing,
}

/// The user's own preparation of connections, for each engine.
#[derive(Default)]
pub(crate) struct Preparations {
    #[cfg(feature = "mysql")]
    pub(crate) mysql: Option<Box<OnConnect<sqlx::MySql>>>,
    #[cfg(feature = "postgres")]
    pub(crate) postgres: Option<Box<OnConnect<sqlx::Postgres>>>,
}

impl Opener {
    pub(crate) fn new(config: &Config, prepare: Preparations) -> Self {
        match config.family() {
            #[cfg(feature = "mysql")]
            Family::MySql => Self::MySql(Way::boxed(config, prepare.mysql)),
            #[cfg(feature = "postgres")]
            Family::Postgres => Self::Postgres(Way::boxed(config, prepare.postgres)),
            _ => Self::Missing,
        }
    }

    /// Opens a connection and proves the role of the instance. Its socket is found by the port at
    /// which the server sees it, unless something changes that on the way.
    pub(crate) async fn open(
        &self,
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Link, Option<OwnSocket>), NotConnected> {
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(way) => way.open(cluster, instance, deadline).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(way) => way.open(cluster, instance, deadline).await,
            Self::Missing => Err(NotConnected::Final(missing(cluster.config()))),
        }
    }
}

/// The cluster is one that this build cannot connect to.
pub(crate) fn missing(config: &Config) -> Error {
    let text = match config.family() {
        Family::MySql => "a cluster of MySQL needs the feature `mysql` of aurora-seaorm",
        _ => "a cluster of PostgreSQL needs the feature `postgres` of aurora-seaorm",
    };
    Error::new(ErrorKind::Configuration, text)
}

/// How connections of one engine are opened.
pub(crate) struct Way<E: Engine> {
    base: OptionsOf<E>,
    prepare: Option<Box<OnConnect<E>>>,
}

impl<E: Engine> Way<E> {
    fn boxed(config: &Config, prepare: Option<Box<OnConnect<E>>>) -> Box<Self> {
        Box::new(Self { base: E::base(None, config), prepare })
    }

    async fn open(
        &self,
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Link, Option<OwnSocket>), NotConnected> {
        let mut connection = self.log_in(cluster, instance, deadline).await?;
        let asked = E::ask(&mut connection, cluster).await;
        let word = asked.map_err(|error| NotConnected::of(error, instance))?;
        let peer = instance.ip().map(|ip| (ip, instance.address().port()).into());
        let socket = peer.and_then(|peer| OwnSocket::at_port(peer, word.local_port));
        bound(instance, word.local_port, cluster.config());
        let own = cluster.check_identity(instance, word.cluster.as_deref());
        own.map_err(NotConnected::Final)?;
        if !E::has_role(&word, instance.role()) {
            return Err(NotConnected::WrongRole);
        }
        if let Some(prepare) = &self.prepare {
            let prepared = prepare(&mut connection).await;
            prepared.map_err(|error| NotConnected::prepared(error, instance))?;
        }
        Ok((E::link(connection, &word), socket))
    }

    /// Logs in, with other credentials where those at hand are refused.
    async fn log_in(
        &self,
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<<E as Database>::Connection, NotConnected> {
        loop {
            let login = cluster.login(instance, deadline).await;
            let login = login.map_err(NotConnected::no_login)?;
            let options = E::at(self.base.clone(), cluster.config(), instance);
            let error = match E::with_login(options, &login).connect().await {
                Ok(connection) => {
                    cluster.login_accepted(&login);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            if !error.as_database_error().is_some_and(engine::refuses_login) {
                return Err(NotConnected::of(error, instance));
            }
            let again = cluster.login_refused(&login, &errors::driver_message(&error));
            again.map_err(|_| NotConnected::of(error, instance))?;
        }
    }
}

/// sqlx sets no keepalive and no user timeout: a statement on a connection that something on the
/// way has forgotten would wait for ever, on an instance that is well.
pub(crate) fn bound(instance: &Instance, local_port: Option<u16>, config: &Config) {
    if let Some(ip) = instance.ip() {
        OwnSocket::bound((ip, instance.address().port()).into(), local_port, config);
    }
}

/// Whether TLS failed: what rustls says comes out of sqlx as an error of the connection, and would
/// be tried again until the deadline.
fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether the server asks for a login that sqlx does not know, or must not use without a verified
/// certificate. sqlx has nothing but words for it.
fn is_of_login(message: &str) -> bool {
    ["unknown authentication plugin", "mysql_cleartext_plugin disabled"]
        .iter()
        .any(|words| message.contains(words))
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// No other instance, and no later moment, would do better.
    Final(Error),
    /// The server has no slot left: no fault of it that the monitor should look at.
    Full(String),
    /// There is nothing to log in with yet.
    NoLogin(String),
    Unreachable(String),
    WrongRole,
}

impl NotConnected {
    fn no_login(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Credentials => Self::NoLogin(error.message().to_owned()),
            _ => Self::Final(error),
        }
    }

    fn of(error: sqlx::Error, instance: &Instance) -> Self {
        let message = errors::driver_message(&error);
        let kind = match &error {
            sqlx::Error::Database(refusal) => engine::kind(&**refusal),
            sqlx::Error::Tls(_) => ErrorKind::Tls,
            sqlx::Error::Io(io) if is_of_tls(io) => ErrorKind::Tls,
            sqlx::Error::Configuration(_) => ErrorKind::Configuration,
            sqlx::Error::Protocol(words) if is_of_login(words) => ErrorKind::Authentication,
            _ => ErrorKind::ConnectionLost,
        };
        match kind {
            ErrorKind::TooManyConnections => Self::Full(message),
            ErrorKind::Authentication
            | ErrorKind::Configuration
            | ErrorKind::Privilege
            | ErrorKind::Tls => {
                Self::Final(Error::new(kind, message).on(instance.id()).caused_by(error))
            }
            _ => Self::Unreachable(message),
        }
    }

    /// The user's own preparation failed.
    fn prepared(error: sqlx::Error, instance: &Instance) -> Self {
        if !errors::leaves_connection_usable(&error) {
            return Self::of(error, instance);
        }
        let text = format!("on_connect failed: {}", errors::driver_message(&error));
        let failed = Error::new(ErrorKind::Statement, text).on(instance.id());
        Self::Final(failed.caused_by(error))
    }
}

impl<E: Engine> fmt::Debug for Way<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("has_preparation", &self.prepare.is_some())
            .finish_non_exhaustive()
    }
}
