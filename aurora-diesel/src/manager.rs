//! [`AuroraConnectionManager`]: what a pool is given.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, ErrorKind, Instance, Lease, Login, Store};
use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, LoadConnection};
use diesel::result::QueryResult;

use crate::connection::AuroraConnection;
use crate::intent::Refusals;
use aurora_core::session::Trouble;

/// How soon it is noticed that a connection that is being opened is of no use any more.
const LOOK: Duration = Duration::from_millis(50);

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

pub(crate) mod sealed;

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

impl<C: Physical> Shared<C> {
    /// Opens a physical connection within `timeout`, with other credentials where those at hand
    /// are refused.
    pub(crate) fn connect(
        self: &Arc<Self>,
        instance: &Instance,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        let deadline = Instant::now() + timeout;
        loop {
            let login = self.cluster.login_blocking(instance, deadline);
            let login = login.map_err(NotConnected::NoLogin)?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connect_with(instance, &login, left) {
                Err(NotConnected::Refused(message)) if C::refuses_login(&message) => {
                    let again = self.cluster.login_refused(&login, message.trim());
                    again.map_err(|_| NotConnected::Refused(message))?;
                }
                connected => return connected,
            }
        }
    }

    /// Opens a physical connection within `timeout`; it is checked to have the role it is used
    /// for.
    ///
    /// The blocking driver bounds the login at best, in whole seconds, and nothing of what it asks
    /// after that: a server that hangs in between would hold the caller for ever. So a thread of
    /// its own connects, and is left to itself when it takes too long, or nobody wants it any more.
    fn connect_with(
        self: &Arc<Self>,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (shared, to, login) = (Arc::clone(self), instance.clone(), login.clone());
        let connecting = thread::Builder::new().name("aurora-connect".to_owned());
        let started = connecting.spawn(move || {
            // Nobody waits any more: the connection is closed.
            let _ = sender.send(shared.connect_here(&to, &login, timeout));
        });
        if let Err(error) = started {
            return Err(NotConnected::Refused(format!("cannot start a thread: {error}")));
        }
        let end = Instant::now() + timeout;
        while self.is_wanted(instance) {
            let left = end.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left.min(LOOK)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if left > LOOK => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let address = instance.address();
        Err(NotConnected::Refused(match self.is_wanted(instance) {
            true => format!("no connection to {address} within {timeout:?}"),
            false => format!("no connection to {address} before it was out of use"),
        }))
    }

    /// Whether a connection to the instance as it was then is of any use.
    fn is_wanted(&self, instance: &Instance) -> bool {
        let topology = self.cluster.snapshot();
        let now = topology.instance(instance.id());
        !self.cluster.is_closed() && now.is_some_and(|now| now.epoch() == instance.epoch())
    }

    /// Opens a physical connection on this thread.
    fn connect_here(
        &self,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        if self.cluster.config().family() != C::FAMILY {
            let text = "the cluster's servers are not of the kind that this connection speaks with";
            let error = aurora_core::Error::new(ErrorKind::Configuration, text);
            return Err(NotConnected::NotPossible(error));
        }
        let breaks = instance.stats().breaks();
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let mut connection = C::open(&self.cluster, instance, login, timeout, mark)
            .map_err(|problem| problem.into_failure())?;
        self.cluster.login_accepted(login);
        let proof = connection
            .prove(&self.cluster, instance, mark)
            .map_err(|error| NotConnected::from_query(&error))?;
        let own = self.cluster.check_identity(instance, proof.identity.as_deref());
        own.map_err(NotConnected::NotPossible)?;
        if !proof.fits(instance.role()) {
            return Err(NotConnected::WrongRole);
        }
        if let Some(on_connect) = &self.on_connect {
            on_connect(&mut connection).map_err(|error| {
                let explained = connection.explain(error, sealed::Form::Text);
                NotConnected::from_preparation(&explained.error)
            })?;
        }
        let mut lease = Lease::new(connection, instance, breaks, Instant::now());
        if let Some(abort) = proof.abort {
            self.store.watch(&mut lease, abort);
        }
        Ok(lease)
    }
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// The user's `on_connect` failed on a connection that works.
    NotPrepared(String),
    /// There is nothing to log in with.
    NoLogin(aurora_core::Error),
    /// Neither another instance nor a later moment would do better: it is another cluster's, or
    /// what the configuration asks for cannot be had.
    NotPossible(aurora_core::Error),
    Refused(String),
    WrongRole,
}

impl sealed::NotOpened {
    fn into_failure(self) -> NotConnected {
        match self {
            Self::NotPossible(text) => {
                let error = aurora_core::Error::new(ErrorKind::Configuration, text);
                NotConnected::NotPossible(error)
            }
            Self::Refused(error) => NotConnected::Refused(error.to_string()),
        }
    }
}

impl NotConnected {
    fn from_preparation(error: &diesel::result::Error) -> Self {
        let message = crate::errors::driver_message(error);
        match crate::errors::trouble(error, false) {
            Trouble::Lost | Trouble::NotSent => Self::Refused(message),
            Trouble::Conflict | Trouble::ReadOnly | Trouble::Statement => {
                Self::NotPrepared(message)
            }
        }
    }

    fn from_query(error: &diesel::result::Error) -> Self {
        Self::Refused(crate::errors::driver_message(error))
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
        if thread::panicking() {
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
