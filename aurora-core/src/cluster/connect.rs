//! Making a [`Cluster`]: monitoring is started, and the first answers are waited for.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::mpsc;

use super::fresh::Wanting;
use super::roots::RootsFile;
use super::{Cluster, Inner};
use crate::background::Background;
use crate::config::{Address, Config, Family, UnknownFunctions};
use crate::credentials::Keyring;
use crate::driver::{self, Command, Shared};
use crate::error::{Error, ErrorKind};
use crate::own_line::OwnLine;
use crate::policy::{self, Policy};
use crate::probe::Prober;
use crate::rds::Watch;
use crate::sql::{Rules, SqlDialect, StatementCache};
use crate::startup::{self, Verdict};
use crate::topology::Topology;

/// How many statements' verdicts are remembered.
const CACHED_STATEMENTS: usize = 4096;

/// Connecting.
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
    pub(super) fn assemble(
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

    fn accept(self, ready: Option<Verdict>) -> Result<Self, Error> {
        // At the deadline what is known has to do.
        match ready.or_else(|| startup::verdict(&self.topology(), true)) {
            Some(Verdict::Ready) => Ok(self),
            Some(Verdict::Failed(error)) => Err(error),
            None => Err(Error::new(ErrorKind::Deadline, "the instances did not answer in time")),
        }
    }
}

/// Where the first login will be, and how long its credentials are waited for. They are fetched
/// before anything else, so that no instance seems silent that was not asked.
fn first_login(config: &Config) -> Option<(&Address, Instant)> {
    let deadline = Instant::now() + config.failover_timeout().max(config.connect_timeout());
    config.addresses().first().map(|address| (address, deadline))
}
