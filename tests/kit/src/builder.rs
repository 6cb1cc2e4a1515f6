//! How a cluster comes to life.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::account::Account;
use crate::chaos::Reactor;
use crate::guard::Guard;
use crate::home::{self, Home};
use crate::install::Install;
use crate::instance::{Instance, Tools};
use crate::settings::primary_conninfo;
use crate::spawner::Spawner;
use crate::state::{Presence, Role, Slot, State};
use crate::volume::{self, TopologyLie};
use crate::{KitError, PgCluster, template};

/// How long all readers may take to follow the writer after a start.
const FOLLOW_LIMIT: Duration = Duration::from_secs(30);

/// What kind of cluster to start; see [`PgCluster::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    instances: usize,
    pub(crate) synchronous: bool,
    pub(crate) aurora: bool,
    pub(crate) port: u16,
    proxies: bool,
    pub(crate) seed: u64,
    settings: Vec<(String, String)>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            instances: 1,
            synchronous: true,
            aurora: false,
            port: 5432,
            proxies: false,
            seed: 0,
            settings: Vec::new(),
        }
    }

    /// The number of instances, the writer included; 1 if not set.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.instances = instances.max(1);
        self
    }

    /// Whether a commit waits until every running reader has the write; `true` if not set, so that
    /// an acknowledged write survives the loss of the writer.
    ///
    /// The kit takes a reader off the list before or as it goes away, so writes never hang.
    #[must_use]
    pub fn synchronous(mut self, synchronous: bool) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Whether the servers answer as Aurora PostgreSQL does; `false` if not set.
    ///
    /// Adds `aurora_replica_status()`, `aurora_db_instance_identifier()`, `aurora_version()` and
    /// the setting `rds.extensions`. The instances are then named `instance-1`, `instance-2`, ...
    #[must_use]
    pub fn aurora(mut self, aurora: bool) -> Self {
        self.aurora = aurora;
        self
    }

    /// The port of every instance; 5432 if not set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Puts a [`ChaosProxy`](crate::chaos::ChaosProxy) between the clients and each instance; see [`PgCluster::proxy`].
    ///
    /// Addresses, URLs and names of the cluster are then those of the proxies, which listen at
    /// addresses of their own and the port of the servers. The kit's own connections, such as
    /// [`PgCluster::client`], and replication go straight to the servers. A proxy refuses
    /// connects while its server does not run.
    #[must_use]
    pub fn behind_proxies(mut self) -> Self {
        self.proxies = true;
        self
    }

    /// What is random about the proxies, such as jitter, comes from this number; 0 if not set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A server setting of every instance, such as `max_connections`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts the servers and waits until every reader follows the writer. Instance 0 is the
    /// writer. Takes about a second; the first start of a PostgreSQL version takes two.
    ///
    /// # Errors
    /// [`KitError::MissingProgram`] when PostgreSQL is not installed, [`KitError::NoAddress`] when
    /// the port is taken everywhere, and whatever keeps the servers from starting.
    pub fn start(self) -> Result<PgCluster, KitError> {
        crate::listen::listen();
        let tools = Tools {
            install: Install::find()?,
            account: Account::detect()?,
            spawner: Spawner::start().map_err(KitError::io("start the spawner thread"))?,
        };
        let root = home::root(tools.account)?;
        let template = template::prepare(&root, &tools.install, tools.account, self.aurora)?;
        let home = Home::take(&root, tools.account, self.port)?;
        let guard = Guard::post(&home.directory, &home.beginning())
            .map_err(KitError::io("post the guard"))?;
        let state = State { slots: Vec::new(), lie: TopologyLie::default() };
        let reactor = self.proxies.then(Reactor::start).transpose();
        let mut cluster = PgCluster {
            endpoints: AtomicUsize::new(0),
            reactor: reactor.map_err(KitError::io("start the proxies"))?.map(Arc::new),
            verbs: Mutex::new(()),
            state: RwLock::new(state),
            options: self,
            tools,
            home,
            _guard: guard,
        };
        cluster.populate(&template)?;
        Ok(cluster)
    }
}

impl PgCluster {
    fn populate(&mut self, template: &Path) -> Result<(), KitError> {
        for index in 0..self.options.instances {
            let slot = self.new_slot(index)?;
            self.write_state().slots.push(slot);
        }
        let instances: Vec<Arc<Instance>> =
            self.read_state().slots.iter().map(|slot| Arc::clone(&slot.instance)).collect();
        let (tools, writer) = (&self.tools, &instances[0]);
        lay_out(tools, template, &instances)?;
        if self.options.synchronous {
            let readers: Vec<usize> = (1..instances.len()).collect();
            writer.set("synchronous_standby_names", self.names_of(&readers));
        }
        self.publish()?;
        for (index, instance) in instances.iter().enumerate() {
            if index > 0 {
                instance.mark_as_reader(tools.account)?;
            }
            instance.launch(tools)?;
        }
        instances.iter().try_for_each(|instance| instance.wait_ready())?;
        for slot in &mut self.write_state().slots {
            slot.presence = Presence::Running;
        }
        self.await_followers(0, &self.readers(), FOLLOW_LIMIT)?;
        self.adapt()?;
        self.publish()
    }

    /// The slot of an instance that does not run yet; a reader of the writer, or the first writer.
    pub(crate) fn new_slot(&self, index: usize) -> Result<Slot, KitError> {
        let full = || KitError::misuse(index, "a cluster has at most 254 instances");
        let (address, port) = (self.home.address(index).ok_or_else(full)?, self.options.port);
        let proxy = self.new_proxy(index, address)?;
        let public = proxy.as_ref().map_or(address, |(public, _)| *public);
        let name = if self.options.aurora {
            format!("instance-{}", index + 1)
        } else {
            format!("{public}:{port}")
        };
        let instance = Instance::new(
            name,
            (address, public),
            port,
            proxy.map(|(_, proxy)| proxy),
            &self.home.directory,
        );
        for (name, value) in &self.options.settings {
            instance.set(name, value.as_str());
        }
        let role = if index == 0 { Role::Writer } else { Role::Reader };
        if role == Role::Reader {
            let writer = self.instance(self.writer())?;
            instance.set("primary_conninfo", primary_conninfo(writer.address, port, public));
        }
        Ok(Slot {
            instance: Arc::new(instance),
            role,
            presence: Presence::Down,
            session: volume::session(),
            seen: SystemTime::now(),
        })
    }
}

/// Makes the data directories: the first from the template, the others from the first.
fn lay_out(tools: &Tools, template: &Path, instances: &[Arc<Instance>]) -> Result<(), KitError> {
    let Some((writer, readers)) = instances.split_first() else { return Ok(()) };
    template::copy(tools.account, template, &writer.data)?;
    // Seeded by the operating system for every new state.
    let identity = RandomState::new().hash_one(SystemTime::now());
    template::new_identity(&tools.install, tools.account, &writer.data, identity)?;
    let copy = |to: &Instance| template::copy(tools.account, &writer.data, &to.data);
    thread::scope(|scope| {
        let copies: Vec<_> = readers.iter().map(|to| scope.spawn(move || copy(to))).collect();
        // A copy that panicked leaves no data directory, which the start reports.
        copies.into_iter().filter_map(|copy| copy.join().ok()).collect()
    })
}
