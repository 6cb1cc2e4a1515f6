//! [`Cluster`]: what an application holds.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use event_listener::Listener as _;
use tokio::sync::mpsc;

use crate::background::Background;
use crate::config::{Config, UnknownFunctions};
use crate::driver::{self, Command, Shared};
use crate::engine::{Complaint, Input};
use crate::error::{Error, ErrorKind};
use crate::event::{EventHub, Events};
use crate::policy::{self, Policy};
use crate::probe::Prober;
use crate::route::{Because, Missing, Need, route};
use crate::sql::{Classification, Rules, StatementCache, Target};
use crate::startup::{self, Verdict};
use crate::status::{Explanation, Status};
use crate::store::Store;
use crate::topology::{Instance, InstanceId, Topology};

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
    no_reader: AtomicU64,
    not_fresh: AtomicU64,
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
    /// ([`ErrorKind::Privilege`]), or the addresses belong to different clusters
    /// ([`ErrorKind::WrongCluster`]); after `connect_timeout`, when no instance is the writer
    /// ([`ErrorKind::NoWriter`]).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the monitoring it began.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let policy = policy::of_kind(config.policy());
        Self::connect_with(config, policy).await
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
        let (cluster, deadline) = Self::start(config, policy)?;
        let ready = cluster.wait(deadline, |topology| startup::verdict(topology, false)).await;
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
        let (cluster, deadline) = Self::start(config, policy)?;
        let ready = cluster.wait_blocking(deadline, |topology| startup::verdict(topology, false));
        cluster.accept(ready)
    }

    /// Starts monitoring; also says until when the first answers may take.
    fn start(config: Config, policy: Box<dyn Policy>) -> Result<(Self, Instant), Error> {
        let prober = Prober::new(config.clone())?;
        let background = Background::shared()?;
        let now = Instant::now();
        let engine = driver::engine(&config, now);
        let (commands, receiver) = mpsc::unbounded_channel();
        let deadline = now + config.connect_timeout() + config.probe_timeout();
        let rules = Rules::default()
            .unknown_functions_write(config.unknown_functions() == UnknownFunctions::Write)
            .read_functions(config.read_functions())
            .write_functions(config.write_functions());
        let shared = Arc::new(Shared {
            config,
            topology: ArcSwap::new(engine.topology()),
            changed: event_listener::Event::new(),
            events: Arc::new(EventHub::default()),
            commands,
            stores: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        background.handle().spawn(driver::drive(Arc::clone(&shared), prober, engine, receiver));
        let cluster = Self(Arc::new(Inner {
            shared,
            policy,
            statements: StatementCache::new(CACHED_STATEMENTS),
            rules,
            no_reader: AtomicU64::new(0),
            not_fresh: AtomicU64::new(0),
            _background: background,
        }));
        Ok((cluster, deadline))
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
        let fallbacks = [&self.0.no_reader, &self.0.not_fresh].map(|n| n.load(Ordering::Relaxed));
        Status::new(&self.snapshot(), fallbacks, Instant::now())
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.shared.events.subscribe()
    }

    /// The instance called `id`, for an operator to take out of use and bring back.
    pub fn instance(&self, id: impl Into<InstanceId>) -> InstanceHandle<'_> {
        InstanceHandle { cluster: self, id: id.into() }
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
        let found = self.wait(Instant::now() + timeout, writer_id).await;
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Like [`Cluster::wait_for_writer`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::wait_for_writer`].
    pub fn wait_for_writer_blocking(&self, timeout: Duration) -> Result<InstanceId, Error> {
        let found = self.wait_blocking(Instant::now() + timeout, writer_id);
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Where the SQL text would go now, in a session that has written nothing, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        let classification = self.classify(sql);
        let need = match classification.route() {
            Target::Reader => Need::read(self.config().freshness(), None, Instant::now()),
            Target::Writer => Need::Write,
        };
        let topology = self.snapshot();
        let routed = route(&topology, need, self.config().reader_fallback(), &*self.0.policy);
        Explanation::new(classification, &topology, routed.ok())
    }

    /// Ends monitoring. Statements that wait for an instance fail with [`ErrorKind::Closed`];
    /// connections that are open stay open until they are returned.
    pub fn close(&self) {
        let _ = self.0.shared.commands.send(Command::Close);
    }
}

/// What adapters need beyond what applications do.
impl Cluster {
    /// A store of idle connections that the cluster empties of those that are out of use.
    #[must_use]
    pub fn new_store<C: Send + 'static>(&self) -> Arc<Store<C>> {
        let store = Arc::new(Store::new(self.config()));
        let weak: Weak<Store<C>> = Arc::downgrade(&store);
        self.0.shared.stores.lock().unwrap_or_else(PoisonError::into_inner).push(weak);
        store
    }

    /// The verdict on a statement's text, remembered.
    #[must_use]
    pub fn classify(&self, sql: &str) -> Classification {
        self.0.statements.classify(sql, &self.0.rules)
    }

    /// Remembers that a reader refused the statement: from now on it is a write.
    pub fn remember_write(&self, sql: &str) {
        self.0.statements.remember_write(sql);
    }

    /// Picks the instance of `topology` that serves `need`; `None` when there is none now.
    #[must_use]
    pub fn route<'a>(&self, topology: &'a Topology, need: Need) -> Option<&'a Instance> {
        let fallback = self.config().reader_fallback();
        let (instance, because) = route(topology, need, fallback, &*self.0.policy).ok()?;
        match because {
            Because::NoReader => self.0.no_reader.fetch_add(1, Ordering::Relaxed),
            Because::NotFresh => self.0.not_fresh.fetch_add(1, Ordering::Relaxed),
            Because::IsReader | Because::IsWriter => 0,
        };
        Some(instance)
    }

    /// Waits on this thread until an instance serves `need`, until `deadline`; returns the
    /// topology in which it does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`] or [`ErrorKind::NoReader`] at the deadline, [`ErrorKind::Closed`].
    pub fn wait_for_blocking(&self, need: Need, deadline: Instant) -> Result<Arc<Topology>, Error> {
        let fallback = self.config().reader_fallback();
        let mut missing = Missing::Writer;
        let found = self.wait_blocking(deadline, |topology| {
            match route(topology, need, fallback, &*self.0.policy) {
                Ok(_) => Some(Arc::clone(topology)),
                Err(what) => {
                    missing = what;
                    None
                }
            }
        });
        found.ok_or_else(|| self.missing(missing))
    }

    /// Waits on this thread until the topology is another one than that of `generation`, until
    /// `deadline`; false when the time has passed.
    #[must_use]
    pub fn wait_beyond_blocking(&self, generation: u64, deadline: Instant) -> bool {
        let newer = |topology: &Arc<Topology>| (topology.generation() > generation).then_some(());
        self.wait_blocking(deadline, newer).is_some()
    }

    /// Waits on this thread until `instance` has answered a probe that was asked after `since`, or
    /// is in another epoch, or `deadline` has passed.
    pub fn wait_confirmed_blocking(
        &self,
        instance: &InstanceId,
        epoch: u64,
        since: Instant,
        deadline: Instant,
    ) {
        let _ = self.wait_blocking(deadline, |topology| match topology.instance(instance) {
            Some(known) if known.epoch() == epoch && known.confirmed_at() < Some(since) => None,
            Some(_) | None => Some(()),
        });
    }

    /// Reports what went wrong on a connection to `instance` that was opened in `epoch`.
    pub fn complain(
        &self,
        instance: &InstanceId,
        epoch: u64,
        complaint: Complaint,
        message: impl Into<String>,
    ) {
        let message = message.into().into();
        let instance = instance.clone();
        self.0.shared.tell(Input::Complained { instance, epoch, complaint, message });
    }

    /// The error for a statement that found nothing to serve it.
    fn missing(&self, missing: Missing) -> Error {
        if self.0.shared.closed.load(Ordering::Acquire) {
            return Error::new(ErrorKind::Closed, "the cluster handle was closed");
        }
        startup::missing(&self.snapshot(), missing)
    }

    fn wait_blocking<R>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&Arc<Topology>) -> Option<R>,
    ) -> Option<R> {
        let shared = &self.0.shared;
        loop {
            // Listen first and look then, so that no change in between is slept through.
            let listener = shared.changed.listen();
            if let Some(found) = look(&shared.topology.load_full()) {
                return Some(found);
            }
            if shared.closed.load(Ordering::Acquire) || Instant::now() >= deadline {
                return None;
            }
            listener.wait_deadline(deadline);
        }
    }

    async fn wait<R>(
        &self,
        deadline: Instant,
        mut look: impl FnMut(&Arc<Topology>) -> Option<R>,
    ) -> Option<R> {
        let shared = &self.0.shared;
        loop {
            let listener = shared.changed.listen();
            if let Some(found) = look(&shared.topology.load_full()) {
                return Some(found);
            }
            if shared.closed.load(Ordering::Acquire) {
                return None;
            }
            // The timer is the background runtime's: the caller's may have none.
            let timer = async move { tokio::time::sleep_until(deadline.into()).await };
            let mut timer = self.0._background.handle().spawn(timer);
            tokio::select! {
                () = listener => timer.abort(),
                _ = &mut timer => return look(&shared.topology.load_full()),
            }
        }
    }
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

/// One instance of a [`Cluster`], as an operator sees it.
#[derive(Clone, Debug)]
pub struct InstanceHandle<'a> {
    cluster: &'a Cluster,
    id: InstanceId,
}

impl InstanceHandle<'_> {
    /// Takes the instance out of use: no new statement is sent to it until
    /// [`InstanceHandle::bring_online`]. Statements and transactions under way end undisturbed.
    ///
    /// Writes wait while the writer is out of use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownInstance`] when the cluster has no instance of that name.
    pub fn take_offline(&self) -> Result<(), Error> {
        self.set_online(false)
    }

    /// Brings the instance back into use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownInstance`] when the cluster has no instance of that name.
    pub fn bring_online(&self) -> Result<(), Error> {
        self.set_online(true)
    }

    /// Waits until the change is in force, so that the next statement sees it.
    fn set_online(&self, online: bool) -> Result<(), Error> {
        let cluster = self.cluster;
        let topology = cluster.topology();
        if topology.instance(&self.id).is_none() {
            return Err(self.unknown(&topology));
        }
        let instance = self.id.clone();
        cluster.0.shared.tell(Input::SetOnline { instance, online });
        let done = |topology: &Arc<Topology>| match topology.instance(&self.id) {
            Some(instance) => (instance.is_online() == online).then_some(true),
            None => Some(false),
        };
        match cluster.wait_blocking(Instant::now() + Duration::from_secs(1), done) {
            Some(true) => Ok(()),
            Some(false) => Err(self.unknown(&cluster.topology())),
            None => Err(Error::new(ErrorKind::Closed, "the cluster handle was closed")),
        }
    }

    fn unknown(&self, topology: &Topology) -> Error {
        let known: Vec<_> = topology.instances().iter().map(|i| i.id().as_str()).collect();
        let message =
            format!("no instance {} in the cluster; there are: {}", self.id, known.join(", "));
        Error::new(ErrorKind::UnknownInstance, message)
    }
}
