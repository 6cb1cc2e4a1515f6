//! [`Cluster`]: what an application holds.

mod adapter;
mod causal;
mod deadline;
mod fresh;
mod identity;
mod instance;
mod login;
mod resolve;
mod roots;
#[cfg(any(test, feature = "benching"))]
mod still;
mod turn;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::Guard;
use tokio::sync::mpsc;

use self::adapter::EndOnDrop;
pub use self::deadline::Deadline;
use self::fresh::Wanting;
pub use self::instance::InstanceHandle;
use self::roots::RootsFile;
pub use self::turn::Turn;
use crate::background::Background;
use crate::config::{Address, Config, Family, UnknownFunctions};
use crate::credentials::Keyring;
use crate::driver::{self, Command, Shared};
use crate::error::{Error, ErrorKind};
use crate::event::Events;
use crate::names::Names;
use crate::own_line::OwnLine;
use crate::policy::{self, Policy};
use crate::probe::{Prober, Tls};
use crate::rds::Watch;
use crate::route::{Missing, route_staying};
use crate::session::Session;
use crate::sql::{Rules, SqlDialect, StatementCache};
use crate::startup::{self, Verdict};
use crate::status::{Explanation, Status};
use crate::store::Store;
use crate::topology::{InstanceId, Topology};

/// How many statements' verdicts are remembered.
const CACHED_STATEMENTS: usize = 4096;

/// A replicated SQL cluster: its topology, kept up to date in the background, and the way to an
/// instance for every statement.
///
/// Cheap to clone; all clones are the same cluster, with one monitoring connection per instance.
/// Monitoring ends with the last clone, or with [`Cluster::close`].
///
/// # Examples
///
/// ```no_run
/// use aurora_core::{Cluster, Config};
///
/// # fn main() -> Result<(), aurora_core::Error> {
/// let config = Config::from_url("postgres://app:secret@db1.example.com,db2.example.com/shop")?;
/// let cluster = Cluster::connect_blocking(config)?;
/// println!("{}", cluster.status());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    policy: Box<dyn Policy>,
    statements: StatementCache,
    rules: Rules,
    tls: Arc<Tls>,
    keyring: Arc<Keyring>,
    roots_file: RootsFile,
    names: Names,
    /// The dialect that the servers were found to speak.
    dialect: Arc<OnceLock<&'static str>>,
    #[cfg(feature = "mysql")]
    mysql: crate::mysql_client::Settings,
    /// Where those wait who ask what became of a transaction; nothing is ever kept in it.
    questions: Arc<Store<()>>,
    no_reader: OwnLine<AtomicU64>,
    wanting: Wanting,
    /// When markers were last pruned.
    pruned_at: Mutex<Option<Instant>>,
    // Ends after the driver was told to: field order is drop order.
    _background: Arc<Background>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.shared.commands.send(Command::Close);
        // The runtime may end before the driver reads that: whoever listens is told here.
        self.shared.close();
    }
}

impl Cluster {
    /// Connects to the cluster that `config` describes, and waits until its topology is known.
    ///
    /// Needs no runtime of a particular kind: monitoring runs on a thread of its own.
    ///
    /// # Errors
    ///
    /// At once, when no instance can be reached ([`ErrorKind::ConnectionLost`]), the server
    /// refuses the credentials ([`ErrorKind::Authentication`]) or a privilege is missing
    /// ([`ErrorKind::Privilege`]), who provides the credentials has none
    /// ([`ErrorKind::Configuration`]), or the addresses belong to different clusters
    /// ([`ErrorKind::WrongCluster`]); after `connect_timeout`, when no instance is the writer
    /// ([`ErrorKind::NoWriter`]); after `failover_timeout`, when who provides the credentials does
    /// not answer ([`ErrorKind::Credentials`]), or the API of RDS, where only a `cluster_id` tells
    /// what to connect to ([`ErrorKind::Deadline`]; [`ErrorKind::Configuration`] at once if it
    /// refuses).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let policy = policy::of_kind(config.policy());
        Self::connect_with(config, policy).await
    }

    /// Like [`Cluster::connect`], with the configuration of the environment:
    /// [`Config::from_env`].
    ///
    /// # Errors
    ///
    /// See [`Config::from_env`] and [`Cluster::connect`].
    ///
    /// # Cancel safety
    ///
    /// See [`Cluster::connect`].
    pub async fn from_env() -> Result<Self, Error> {
        Self::connect(Config::from_env()?).await
    }

    /// Like [`Cluster::from_env`], on the calling thread and without an async runtime.
    ///
    /// # Errors
    ///
    /// See [`Cluster::from_env`].
    pub fn from_env_blocking() -> Result<Self, Error> {
        Self::connect_blocking(Config::from_env()?)
    }

    /// Like [`Cluster::connect`], with a selection strategy of one's own instead of the configured
    /// `policy`.
    ///
    /// # Errors
    ///
    /// See [`Cluster::connect`].
    ///
    /// # Cancel safety
    ///
    /// See [`Cluster::connect`].
    pub async fn connect_with(config: Config, policy: Box<dyn Policy>) -> Result<Self, Error> {
        let background = Background::shared()?;
        let (config, watch) = Watch::begin(config, &background).await?;
        let keyring = Keyring::new(&config, background.handle().clone());
        let first = first_login(&config);
        if let Some((address, deadline)) = first {
            keyring.login(address, deadline).await?;
        }
        let (cluster, deadline) = Self::start(config, policy, background, keyring, watch)?;
        let ready = cluster
            .wait(cluster.changed(), deadline, |topology| startup::verdict(topology, false))
            .await;
        cluster.accept(ready)
    }

    /// Like [`Cluster::connect`], on the calling thread and without an async runtime.
    ///
    /// # Errors
    ///
    /// See [`Cluster::connect`].
    pub fn connect_blocking(config: Config) -> Result<Self, Error> {
        let policy = policy::of_kind(config.policy());
        Self::connect_blocking_with(config, policy)
    }

    /// Like [`Cluster::connect_blocking`], with a selection strategy of one's own instead of the
    /// configured `policy`.
    ///
    /// # Errors
    ///
    /// See [`Cluster::connect`].
    pub fn connect_blocking_with(config: Config, policy: Box<dyn Policy>) -> Result<Self, Error> {
        let background = Background::shared()?;
        let (config, watch) = Watch::begin_blocking(config, &background)?;
        let keyring = Keyring::new(&config, background.handle().clone());
        if let Some((address, deadline)) = first_login(&config) {
            keyring.login_blocking(address, deadline)?;
        }
        let (cluster, deadline) = Self::start(config, policy, background, keyring, watch)?;
        let ready = cluster.wait_blocking(cluster.changed(), deadline, |topology| {
            startup::verdict(topology, false)
        });
        cluster.accept(ready)
    }

    /// Starts monitoring; also says until when the first answers may take.
    fn start(
        config: Config,
        policy: Box<dyn Policy>,
        background: Arc<Background>,
        keyring: Arc<Keyring>,
        watch: Watch,
    ) -> Result<(Self, Instant), Error> {
        let now = Instant::now();
        let engine = driver::engine(&config, now);
        let deadline = now + config.connect_timeout() + config.probe_timeout();
        let (commands, receiver) = mpsc::unbounded_channel();
        let runtime = background.handle().clone();
        let known = engine.topology();
        let (cluster, prober) =
            Self::assemble(config, policy, background, keyring, known, commands)?;
        watch.start(&cluster.0._background, &cluster.0.shared);
        runtime.spawn(driver::drive(Arc::clone(&cluster.0.shared), prober, engine, receiver));
        Ok((cluster, deadline))
    }

    /// A cluster of which that topology is known, and that nobody monitors yet.
    fn assemble(
        config: Config,
        policy: Box<dyn Policy>,
        background: Arc<Background>,
        keyring: Arc<Keyring>,
        known: Arc<Topology>,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Result<(Self, Prober), Error> {
        let prober = Prober::new(config.clone(), Arc::clone(&keyring))?;
        let language = match config.family() {
            Family::Postgres => SqlDialect::Postgres,
            Family::MySql => SqlDialect::MySql,
        };
        let rules = Rules::default()
            .unknown_functions_write(config.unknown_functions() == UnknownFunctions::Write)
            .read_functions(config.read_functions())
            .write_functions(config.write_functions());
        #[cfg(feature = "mysql")]
        let mysql = crate::mysql_client::Settings::new(&config);
        let shared = Arc::new(Shared::new(config, known, commands));
        let questions = shared.new_store();
        let cluster = Self(Arc::new(Inner {
            shared,
            policy,
            statements: StatementCache::new(language, CACHED_STATEMENTS),
            rules,
            tls: prober.tls(),
            keyring,
            roots_file: RootsFile::default(),
            names: prober.names().clone(),
            dialect: prober.dialect(),
            #[cfg(feature = "mysql")]
            mysql,
            no_reader: OwnLine::default(),
            wanting: Wanting::default(),
            pruned_at: Mutex::default(),
            questions,
            _background: background,
        }));
        Ok((cluster, prober))
    }

    /// How connections to the cluster are encrypted.
    pub(crate) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    /// How connections of adapters to MySQL are made.
    #[cfg(feature = "mysql")]
    pub(crate) fn mysql(&self) -> &crate::mysql_client::Settings {
        &self.0.mysql
    }

    fn accept(self, ready: Option<Verdict>) -> Result<Self, Error> {
        // At the deadline what is known has to do.
        match ready.or_else(|| startup::verdict(&self.topology(), true)) {
            Some(Verdict::Ready) => Ok(self),
            Some(Verdict::Failed(error)) => Err(error),
            None => Err(Error::new(ErrorKind::Deadline, "the instances did not answer in time")),
        }
    }

    /// The configuration the cluster was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.shared.config
    }

    /// The present topology.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        self.0.shared.topology.load_full()
    }

    /// The present topology for a short look, without counting a reference.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Topology>> {
        self.0.shared.topology.load()
    }

    /// What there is to know about every instance, ready to be printed or serialised.
    #[must_use]
    pub fn status(&self) -> Status {
        let Wanting { not_fresh, waited, .. } = &self.0.wanting;
        let counts = [&*self.0.no_reader, not_fresh, waited, &self.0.shared.restarts];
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let problem = &self.0.shared.rds_problem;
        let problem = problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status::new(&self.snapshot(), counts, problem, Instant::now())
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.shared.events.subscribe()
    }

    /// The instance called `id`, for an operator to take out of use and bring back.
    pub fn instance(&self, id: impl Into<InstanceId>) -> InstanceHandle<'_> {
        InstanceHandle::new(self, id.into())
    }

    /// Waits until there is a writer that takes writes, for at most `timeout`; returns its name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`] when the time has passed, [`ErrorKind::Closed`] when the cluster
    /// was closed.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_for_writer(&self, timeout: Duration) -> Result<InstanceId, Error> {
        let found = self.wait(self.moved(), Instant::now() + timeout, writer_id).await;
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Like [`Cluster::wait_for_writer`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::wait_for_writer`].
    pub fn wait_for_writer_blocking(&self, timeout: Duration) -> Result<InstanceId, Error> {
        let found = self.wait_blocking(self.moved(), Instant::now() + timeout, writer_id);
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Where the SQL text would go now, in a session that has written nothing, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        self.explain_in(&Session::new(self.config().freshness()), sql)
    }

    /// Where the SQL text would go now in that session, and why: one that has just written may find
    /// no reader fresh enough.
    #[must_use]
    pub fn explain_in(&self, session: &Session, sql: &str) -> Explanation {
        let classification = self.classify(sql);
        let need = session.need(&classification, Some(sql), Instant::now);
        let topology = self.snapshot();
        let stays = session.reader();
        let fallback = self.config().reader_fallback();
        let routed = route_staying(&topology, need, fallback, &*self.0.policy, stays);
        let wait = self.config().freshness_wait();
        Explanation::new(classification, &topology, routed.ok(), wait)
    }

    /// Ends monitoring. Statements that wait for an instance fail with [`ErrorKind::Closed`];
    /// connections that are open stay open until they are returned.
    pub fn close(&self) {
        let _ = self.0.shared.commands.send(Command::Close);
    }

    /// Whether monitoring has ended: nothing is told of the instances any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.shared.closed.load(Ordering::Acquire)
    }
}

/// Where the first login will be, and how long its credentials are waited for. They are fetched
/// before anything else, so that no instance seems silent that was not asked.
fn first_login(config: &Config) -> Option<(&Address, Instant)> {
    let deadline = Instant::now() + config.failover_timeout().max(config.connect_timeout());
    config.addresses().first().map(|address| (address, deadline))
}

fn writer_id(topology: &Arc<Topology>) -> Option<InstanceId> {
    topology.writer().map(|writer| writer.id().clone())
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("config", self.config())
            .field("topology", &*self.snapshot())
            .finish_non_exhaustive()
    }
}
