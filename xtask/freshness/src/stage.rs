//! The cluster, and every adapter on one handle to it.

use std::sync::Arc;

use aurora_core::Cluster;
use aurora_tests::door::{Door, Open};
use aurora_tests::doors::{bb8, deadpool, diesel_r2d2, mobc, seaorm};
use aurora_tests::stand::connect;
use test_kit::PgCluster;
use tokio::task::block_in_place;

use crate::Failed;

/// Every adapter, by name.
pub(crate) const ADAPTERS: [(&str, Open); 5] = [
    ("Diesel, r2d2", diesel_r2d2::open),
    ("diesel-async, bb8", bb8::open),
    ("diesel-async, deadpool", deadpool::open),
    ("diesel-async, mobc", mobc::open),
    ("SeaORM", seaorm::open),
];
/// How many sessions of each adapter work at once.
pub(crate) const WORKERS: usize = 6;

/// A cluster of three, and what is connected to it.
pub(crate) struct Stage {
    pub(crate) seed: u64,
    pub(crate) doors: Vec<Arc<dyn Door>>,
    pub(crate) cluster: Cluster,
    pub(crate) kit: Arc<PgCluster>,
}

impl Stage {
    pub(crate) async fn set(seed: u64) -> Result<Self, Failed> {
        let rows = ADAPTERS.len() * WORKERS;
        let (kit, cluster) = block_in_place(|| -> Result<_, Failed> {
            let kit = PgCluster::builder().instances(3).synchronous(false).start()?;
            kit.client(0)?.batch_execute(&format!(
                "CREATE TABLE marks (id int PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 10); \
                 INSERT INTO marks SELECT id, 0 FROM generate_series(0, {rows}) AS id"
            ))?;
            aurora_tests::stand::caught_up(&kit);
            let cluster = connect(&kit, "");
            Ok((Arc::new(kit), cluster))
        })?;
        let doors = open_all(&cluster).await;
        Ok(Self { seed, doors, cluster, kit })
    }

    /// How many statements the writer and all readers have run so far.
    pub(crate) fn queries(&self) -> (u64, u64) {
        queries(&self.cluster)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Pools end their connections, and the kit its servers: blocking is no harm here.
        block_in_place(|| self.doors.clear());
    }
}

/// The pool of every adapter.
pub(crate) async fn open_all(cluster: &Cluster) -> Vec<Arc<dyn Door>> {
    let mut doors = Vec::new();
    for (_, open) in ADAPTERS {
        doors.push(open(cluster.clone(), WORKERS).await);
    }
    doors
}

/// How many statements the writer and all readers have run so far.
pub(crate) fn queries(cluster: &Cluster) -> (u64, u64) {
    let topology = cluster.snapshot();
    let writer = topology.writer().map_or(0, |writer| writer.stats().queries());
    let all: u64 = topology.instances().iter().map(|i| i.stats().queries()).sum();
    (writer, all - writer)
}
