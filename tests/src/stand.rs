//! A cluster of servers with the library and a pool connected to it.

use aurora_core::{Cluster, Config, Health, Instance, InstanceId};
use diesel::r2d2::Pool;
use test_kit::PgCluster;

use crate::servers::Servers;
use crate::{LIMIT, Manager, Pooled, Sessions, eventually};

/// Servers, the library and a pool; dropped in the reverse order.
#[derive(Debug)]
pub struct Stand<P = Sessions, K = PgCluster> {
    /// The pool, of eight sessions unless said otherwise.
    pub pool: P,
    /// The library.
    pub cluster: Cluster,
    /// The servers.
    pub kit: K,
}

impl Stand {
    /// `instances` servers with asynchronous replication.
    #[must_use]
    pub fn new(instances: usize) -> Self {
        Self::with(PgCluster::builder().instances(instances), "")
    }

    /// Servers as described, connected to with these options of the URL.
    #[must_use]
    pub fn with(servers: test_kit::Builder, options: &str) -> Self {
        let kit = servers.start().unwrap();
        let cluster = connect(&kit, options);
        let pool = pool(&Manager::new(cluster.clone()), 8);
        Self { pool, cluster, kit }
    }

    /// A session out of the pool.
    #[must_use]
    pub fn session(&self) -> Pooled {
        self.pool.get().unwrap()
    }
}

impl<P, K: Servers> Stand<P, K> {
    /// Runs SQL on the writer past the library, and waits until every reader shows it.
    pub fn seed(&self, sql: &str) {
        self.kit.run(self.kit.writer(), sql);
        caught_up(&self.kit);
    }

    /// The name of the kit's instance.
    #[must_use]
    pub fn id(&self, index: usize) -> InstanceId {
        self.kit.name(index).into()
    }

    /// The kit's instance as the library sees it.
    #[must_use]
    pub fn instance(&self, index: usize) -> Instance {
        let topology = self.cluster.topology();
        let found = topology.instance(&self.id(index));
        found.unwrap_or_else(|| panic!("no instance {index} in {topology:#?}")).clone()
    }

    /// How many statements ran on each of the kit's first `N` instances so far.
    #[must_use]
    pub fn queries<const N: usize>(&self) -> [u64; N] {
        std::array::from_fn(|index| self.instance(index).stats().queries())
    }

    /// How many statements `work` runs on each of the kit's first `N` instances.
    pub fn counting<const N: usize>(&self, work: impl FnOnce()) -> [u64; N] {
        let before = self.queries::<N>();
        work();
        let after = self.queries::<N>();
        std::array::from_fn(|index| after[index] - before[index])
    }

    /// How many connections to all instances are open.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.cluster.status().instances.iter().map(|instance| instance.connections).sum()
    }

    /// How many connections were opened so far, to all instances.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.cluster.topology().instances().iter().map(|i| i.stats().connects()).sum()
    }

    /// Waits until the library sees `index` as the writer, online.
    #[track_caller]
    pub fn await_writer(&self, index: usize) {
        let id = self.id(index);
        eventually("the writer is known", || {
            self.cluster.topology().writer().is_some_and(|writer| *writer.id() == id)
        });
    }

    /// Waits until the library counts that many usable readers.
    #[track_caller]
    pub fn await_readers(&self, count: usize) {
        eventually("the readers are usable", || self.cluster.topology().readers().len() == count);
    }

    /// Waits until the library gives the instance that health.
    #[track_caller]
    pub fn await_health(&self, index: usize, health: Health) {
        eventually("the health is seen", || self.instance(index).health() == health);
    }
}

/// Connects the library to all instances of the kit, and waits until all are online.
#[must_use]
pub fn connect<K: Servers>(kit: &K, options: &str) -> Cluster {
    let cluster = connect_url(&format!("{}?{options}", kit.url())).unwrap();
    eventually("all instances are online", || {
        let topology = cluster.topology();
        topology.writer().is_some() && topology.readers().len() + 1 == kit.count()
    });
    cluster
}

/// Connects the library to the cluster of the URL.
pub fn connect_url(url: &str) -> Result<Cluster, aurora_core::Error> {
    Cluster::connect_blocking(Config::from_url(url)?)
}

/// A pool of `size` sessions, none of which is made beforehand.
#[must_use]
pub fn pool(manager: &Manager, size: u32) -> Sessions {
    Pool::builder().max_size(size).connection_timeout(LIMIT).build(manager.clone()).unwrap()
}

/// Waits until every reader that runs has replayed all that the writer has written.
#[track_caller]
pub fn caught_up<K: Servers>(kit: &K) {
    kit.catch_up();
}
