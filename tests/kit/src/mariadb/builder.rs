//! How a cluster comes to life.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

use super::instance::Instance;
use super::{MariaDbCluster, template};
use crate::account::Account;
use crate::chaos::Reactor;
use crate::guard::Guard;
use crate::home::{self, Home};
use crate::spawner::Spawner;
use crate::state::Presence;
use crate::{KitError, server};

/// What kind of cluster to start; see [`MariaDbCluster::builder`].
#[derive(Debug, Clone)]
pub struct MariaDbBuilder {
    instances: usize,
    pub(super) synchronous: bool,
    pub(super) aurora: bool,
    pub(super) proxies: bool,
    pub(super) port: u16,
    pub(super) settings: Vec<(String, String)>,
}

impl MariaDbBuilder {
    pub(super) fn new() -> Self {
        Self {
            instances: 1,
            synchronous: true,
            aurora: false,
            proxies: false,
            port: 3306,
            settings: Vec::new(),
        }
    }

    /// The number of instances, the writer included; 1 if not set.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.instances = instances.max(1);
        self
    }

    /// Whether a commit waits until a running reader has received it; `true` if not set, so that
    /// an acknowledged write survives the loss of the writer.
    ///
    /// While no reader runs, commits do not wait.
    #[must_use]
    pub fn synchronous(mut self, synchronous: bool) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Whether clients find Aurora's words: its topology, its identifiers and its version, which a
    /// front before each server answers with; see [`MariaDbCluster::tell_lag`]. Instances are called
    /// `instance-1` and so on then, and clients connect to proxies as
    /// [`behind_proxies`](Self::behind_proxies).
    #[must_use]
    pub fn aurora(mut self, aurora: bool) -> Self {
        self.aurora = aurora;
        self
    }

    /// Puts a [`ChaosProxy`](crate::chaos::ChaosProxy) between the clients and each instance; see
    /// [`MariaDbCluster::proxy`].
    ///
    /// [`MariaDbCluster::url`], [`address`](MariaDbCluster::address) and
    /// [`name`](MariaDbCluster::name) are then what clients see. The kit's own sessions, also
    /// [`MariaDbCluster::client`], and replication go straight to the servers. Mishaps happen to the
    /// first packet of an answer, and none is aimed at an application; behind TLS none happens.
    #[must_use]
    pub fn behind_proxies(mut self) -> Self {
        self.proxies = true;
        self
    }

    /// The port of every instance; 3306 if not set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A server setting of every instance, such as `max_connections`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts the servers and waits until every reader follows the writer. Instance 0 is the
    /// writer.
    ///
    /// # Errors
    /// [`KitError::MissingProgram`] when MariaDB is not installed, [`KitError::NoAddress`] when
    /// the port is taken everywhere, and whatever keeps the servers from starting.
    pub fn start(self) -> Result<MariaDbCluster, KitError> {
        crate::listen::listen();
        let account = Account::detect()?;
        let root = home::root(account)?;
        let template = template::prepare(&root, account)?;
        let home = Home::take(&root, account, self.port)?;
        let guard = Guard::post(&home.directory, &home.beginning())
            .map_err(KitError::io("post the guard"))?;
        let reactor = || Reactor::start().map_err(KitError::io("start the thread of the proxies"));
        let reactor = (self.aurora || self.proxies).then(reactor).transpose()?;
        let cluster = MariaDbCluster {
            reactor: reactor.map(Arc::new),
            volume: Arc::default(),
            endpoints: AtomicUsize::new(0),
            verbs: Mutex::new(()),
            state: RwLock::new(Vec::new()),
            options: self,
            account,
            spawner: Spawner::start().map_err(KitError::io("start the spawner thread"))?,
            template,
            // Any number but the default, 0.
            domain: fastrand::u32(1..),
            home,
            _guard: guard,
        };
        cluster.populate()?;
        Ok(cluster)
    }
}

impl MariaDbCluster {
    fn populate(&self) -> Result<(), KitError> {
        for index in 0..self.options.instances {
            let slot = self.new_slot(index)?;
            self.write_state().push(slot);
        }
        let instances: Vec<Arc<Instance>> =
            self.read_state().iter().map(|slot| Arc::clone(&slot.instance)).collect();
        self.each(&instances, |instance| self.lay_out(instance))?;
        for (index, instance) in instances.iter().enumerate() {
            instance.set("read_only", if index == 0 { "OFF" } else { "ON" });
            instance.launch(self.account, &self.spawner)?;
        }
        instances.iter().try_for_each(|instance| instance.wait_ready())?;
        for slot in self.write_state().iter_mut() {
            slot.presence = Presence::Running;
        }
        let readers = self.readers();
        readers.iter().try_for_each(|reader| self.point(*reader, 0))?;
        self.await_followers(0, &readers, server::START_LIMIT)?;
        self.publish();
        self.adapt()
    }

    /// Does the same for all instances at once.
    fn each(
        &self,
        instances: &[Arc<Instance>],
        work: impl Fn(&Instance) -> Result<(), KitError> + Sync,
    ) -> Result<(), KitError> {
        thread::scope(|scope| {
            let running: Vec<_> =
                instances.iter().map(|instance| scope.spawn(|| work(instance))).collect();
            // What panicked left no data directory, which the start reports.
            running.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }
}
