//! A MariaDB cluster with the library connected to it.

use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, Error, Health, Instance, InstanceId};
use aurora_tests::eventually;
use mysql_async::Conn;
use test_kit::{MariaDbBuilder, MariaDbCluster};

/// Servers and the library; dropped in the reverse order.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) cluster: Cluster,
    pub(crate) kit: MariaDbCluster,
}

impl Stand {
    /// So many servers, of which every one is online.
    pub(crate) fn new(instances: usize) -> Self {
        Self::with(MariaDbCluster::builder().instances(instances), "")
    }

    pub(crate) fn with(servers: MariaDbBuilder, options: &str) -> Self {
        let kit = servers.start().unwrap();
        let config = Config::from_url(&format!("{}?{options}", kit.url())).unwrap();
        let cluster = Cluster::connect_blocking(config).unwrap();
        let stand = Self { cluster, kit };
        eventually("all instances are online", || {
            let topology = stand.cluster.topology();
            topology.writer().is_some() && topology.readers().len() + 1 == stand.kit.len()
        });
        stand
    }

    pub(crate) fn id(&self, index: usize) -> InstanceId {
        self.kit.name(index).into()
    }

    /// The kit's instance as the library sees it.
    pub(crate) fn instance(&self, index: usize) -> Instance {
        let topology = self.cluster.topology();
        let found = topology.instance(&self.id(index));
        found.unwrap_or_else(|| panic!("no instance {index} in {topology:#?}")).clone()
    }

    #[track_caller]
    pub(crate) fn await_writer(&self, index: usize) {
        let id = self.id(index);
        eventually("the writer is known", || {
            self.cluster.topology().writer().is_some_and(|writer| *writer.id() == id)
        });
    }

    #[track_caller]
    pub(crate) fn await_readers(&self, count: usize) {
        eventually("the readers are usable", || self.cluster.topology().readers().len() == count);
    }

    #[track_caller]
    pub(crate) fn await_health(&self, index: usize, health: Health) {
        eventually("the health is seen", || self.instance(index).health() == health);
    }
}

impl Stand {
    /// Does something with a connection that the library opens to `instance` within `limit`.
    pub(crate) fn open<R>(
        &self,
        instance: &Instance,
        limit: Duration,
        work: impl AsyncFnOnce(Conn) -> R,
    ) -> Result<R, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (conn, _) = self.cluster.connect_mysql(instance, Instant::now() + limit).await?;
            Ok(work(conn).await)
        })
    }

    /// Runs SQL on the kit's writer past the library.
    pub(crate) fn write(&self, sql: &str) {
        self.kit.client(self.kit.writer()).unwrap().run(sql).unwrap();
    }

    /// Waits until the library has asked the instance once more from the beginning.
    #[track_caller]
    pub(crate) fn await_seen(&self, index: usize) {
        let now = Instant::now();
        eventually("it is asked", || self.instance(index).confirmed_at() > Some(now));
    }
}
