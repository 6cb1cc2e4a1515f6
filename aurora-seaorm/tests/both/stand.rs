//! A cluster of servers with a handle connected to it, and ways to find out where a statement ran.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, InstanceId};
use aurora_seaorm::AuroraConnection;
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use test_kit::KitError;

use crate::engine::{self, Kit, Servers};

/// The longest wait for anything that a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Servers, the library and a handle; dropped in the reverse order.
pub(crate) struct Stand {
    pub(crate) db: AuroraConnection,
    pub(crate) cluster: Cluster,
    pub(crate) kit: Arc<Kit>,
}

impl Stand {
    /// That many servers, and the tables.
    pub(crate) async fn new(instances: usize) -> Self {
        Self::with(engine::servers(instances), "").await
    }

    /// Servers as described, connected to with these options of the URL.
    pub(crate) async fn with(servers: Servers, options: &str) -> Self {
        let kit = blocking(move || Arc::new(servers.start().unwrap())).await;
        let url = format!("{}?{options}", kit.url());
        let cluster = Cluster::connect(Config::from_url(&url).unwrap()).await.unwrap();
        let db = AuroraConnection::new(cluster.clone());
        let stand = Self { db, cluster, kit };
        stand.seed(engine::TABLES).await;
        let readers = stand.kit.len() - 1;
        eventually("all instances are online", || {
            let topology = stand.cluster.topology();
            topology.writer().is_some() && topology.readers().len() == readers
        })
        .await;
        stand
    }

    /// Runs SQL on the writer past the library, and waits until every reader shows it.
    pub(crate) async fn seed(&self, sql: &str) {
        let sql = sql.to_owned();
        self.verb(move |kit| engine::seed(kit, &sql)).await;
    }

    /// The name of the kit's instance.
    pub(crate) fn id(&self, index: usize) -> InstanceId {
        self.kit.name(index).into()
    }

    /// How many statements ran on each of the kit's first `N` instances so far.
    pub(crate) fn queries<const N: usize>(&self) -> [u64; N] {
        let topology = self.cluster.topology();
        std::array::from_fn(|index| topology.instance(&self.id(index)).unwrap().stats().queries())
    }

    /// How many statements `work` runs on each of the kit's first `N` instances.
    pub(crate) async fn counting<const N: usize>(
        &self,
        work: impl Future<Output = ()>,
    ) -> [u64; N] {
        let before = self.queries::<N>();
        work.await;
        let after = self.queries::<N>();
        std::array::from_fn(|index| after[index] - before[index])
    }

    /// Runs a verb of the kit where blocking is no harm.
    pub(crate) async fn verb<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&Kit) -> Result<R, KitError> + Send + 'static,
    ) -> R {
        let kit = Arc::clone(&self.kit);
        blocking(move || verb(&kit).unwrap()).await
    }

    /// What the server says past the library: one text.
    pub(crate) async fn ask(&self, index: usize, sql: &str) -> String {
        let sql = sql.to_owned();
        self.verb(move |kit| engine::ask(kit, index, &sql)).await
    }

    /// Waits until the library sees `index` as the writer, online.
    pub(crate) async fn await_writer(&self, index: usize) {
        let id = self.id(index);
        eventually("the writer is known", || {
            self.cluster.topology().writer().is_some_and(|writer| *writer.id() == id)
        })
        .await;
    }

    /// Waits until every statement's connection is back.
    pub(crate) async fn quiet(&self) {
        eventually("nothing is in flight", || {
            let topology = self.cluster.topology();
            topology.instances().iter().all(|instance| instance.stats().in_flight() == 0)
        })
        .await;
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A statement as text.
pub(crate) fn text(sql: &str) -> Statement {
    Statement::from_string(engine::BACKEND, sql)
}

/// The first column of the only row.
pub(crate) async fn one<T: TryGetable>(db: &impl ConnectionTrait, sql: &str) -> T {
    let row = db.query_one_raw(text(sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}
