//! A cluster with the pool of an adapter connected to it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::LIMIT;
use crate::servers::Servers;
use crate::stand::{Stand, caught_up, connect};
use aurora_core::Cluster;
use futures_util::future::BoxFuture;
use test_kit::PgCluster;
use tokio::task::block_in_place;

use crate::door::{Answer, Door, Guest, Open, Session, Work};

/// How many sessions the pool has.
const SESSIONS: usize = 8;

/// Servers, the library and a pool of eight sessions.
pub struct Scene<K: Servers = PgCluster> {
    open: Open,
    /// `Some` until it is dropped, where blocking is no harm.
    stand: Option<Stand<Arc<dyn Door>, K>>,
    /// The sessions that were there before the pool was, on each instance.
    monitors: Vec<Vec<i64>>,
}

impl<K: Servers> fmt::Debug for Scene<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene").field("servers", &self.kit).finish_non_exhaustive()
    }
}

impl<K: Servers> Deref for Scene<K> {
    type Target = Stand<Arc<dyn Door>, K>;

    fn deref(&self) -> &Self::Target {
        self.stand.as_ref().unwrap()
    }
}

impl<K: Servers> Drop for Scene<K> {
    fn drop(&mut self) {
        block_in_place(|| drop(self.stand.take()));
    }
}

impl Scene<PgCluster> {
    /// So many servers with asynchronous replication, and the items `a`, `b` and `c`.
    pub async fn new(open: Open, instances: usize) -> Self {
        let servers = PgCluster::builder().instances(instances).synchronous(false);
        Self::with(open, servers, "").await
    }

    /// So many servers that lose nothing they acknowledged.
    pub async fn safe(open: Open, instances: usize, options: &str) -> Self {
        Self::with(open, PgCluster::builder().instances(instances), options).await
    }

    /// Servers as described, connected to with these options of the URL.
    pub async fn with(open: Open, servers: test_kit::Builder, options: &str) -> Self {
        Self::connected(open, servers, |kit| connect(kit, options)).await
    }

    /// Servers as described, connected to in another way.
    pub async fn connected(
        open: Open,
        servers: test_kit::Builder,
        connect: impl FnOnce(&PgCluster) -> Cluster,
    ) -> Self {
        let kit = block_in_place(|| servers.start().unwrap());
        Self::of(open, kit, connect).await
    }

    /// The ports that a superuser asks of an instance past the library.
    pub fn ports(&self, index: usize, sql: &str) -> Vec<u16> {
        let rows = self.kit(|kit| kit.superuser(index).unwrap().query(sql, &[]).unwrap());
        rows.iter().map(|row| row.get::<_, i32>(0).try_into().unwrap()).collect()
    }
}

impl<K: Servers> Scene<K> {
    /// So many servers, whose acknowledged writes survive one of them if `synchronous`, connected to
    /// with these options of the URL; the items `a`, `b` and `c`.
    pub async fn started(open: Open, instances: usize, synchronous: bool, options: &str) -> Self {
        let kit = block_in_place(|| K::started(instances, synchronous));
        Self::of(open, kit, |kit| connect(kit, options)).await
    }

    async fn of(open: Open, kit: K, connect: impl FnOnce(&K) -> Cluster) -> Self {
        let (cluster, monitors) = block_in_place(|| {
            kit.run(0, K::TEXTS.items);
            kit.run(0, "INSERT INTO items (name) VALUES ('a'), ('b'), ('c')");
            caught_up(&kit);
            let cluster = connect(&kit);
            let monitors = (0..kit.count()).map(|index| kit.sessions(index)).collect();
            (cluster, monitors)
        });
        let pool = open(cluster.clone(), SESSIONS).await;
        Self { open, stand: Some(Stand { pool, cluster, kit }), monitors }
    }

    /// Another pool, of so many sessions, on the same cluster.
    pub async fn open(&self, size: usize) -> Arc<dyn Door> {
        (self.open)(self.cluster.clone(), size).await
    }

    /// Has the kit do something, where blocking is no harm.
    pub fn kit<R>(&self, work: impl FnOnce(&K) -> R) -> R {
        block_in_place(|| work(&self.kit))
    }

    /// Runs SQL on the writer past the library, and waits until every reader shows it.
    pub fn prepare(&self, sql: &str) {
        block_in_place(|| self.seed(sql));
    }

    /// Runs SQL on the writer as a superuser, and waits until every reader shows it.
    pub fn prepare_as_superuser(&self, sql: &str) {
        self.kit(|kit| {
            kit.run_as_superuser(kit.writer(), sql);
            caught_up(kit);
        });
    }

    /// One number that a superuser asks of an instance past the library.
    pub fn ask(&self, index: usize, sql: &str) -> i64 {
        self.kit(|kit| kit.numbers(index, sql)[0])
    }

    /// How many items of that name the writer has.
    pub fn stored(&self, name: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM items WHERE name = '{name}'");
        self.ask(self.kit.writer(), &sql)
    }

    /// Ends the server's side of all connections of the library's but the monitor's.
    pub fn terminate(&self, index: usize) -> usize {
        self.kit(|kit| {
            let mut sessions = kit.sessions(index);
            let of_monitors = self.monitors.get(index).map_or(&[][..], Vec::as_slice);
            sessions.retain(|session| !of_monitors.contains(session));
            sessions.iter().for_each(|session| kit.end(index, *session));
            sessions.len()
        })
    }

    /// A session out of the pool.
    pub async fn guest(&self) -> Guest {
        self.pool.session().await.unwrap()
    }

    /// How many statements `work` runs on each of the kit's first `N` instances.
    pub async fn ran<const N: usize>(&self, work: impl Future<Output = ()>) -> [u64; N] {
        let before = self.queries::<N>();
        work.await;
        let after = self.queries::<N>();
        std::array::from_fn(|index| after[index] - before[index])
    }

    /// Waits until the library sees `index` as the writer, and so many readers.
    pub fn await_roles(&self, writer: usize, readers: usize) {
        block_in_place(|| {
            self.await_writer(writer);
            self.await_readers(readers);
        });
    }

    /// Every connection is back, no server is in the middle of a transaction of the library's,
    /// and no lock of one is left.
    pub async fn assert_clean(&self) {
        eventually("nothing is in flight", async || {
            self.cluster.status().instances.iter().all(|instance| instance.in_flight == 0)
        })
        .await;
        let instances = [vec![self.kit.writer()], self.kit.readers()].concat();
        for index in instances {
            let open = K::TEXTS.in_transaction;
            eventually("nobody is in a transaction", async || self.ask(index, open) == 0).await;
        }
        self.kit(|kit| kit.run_as_superuser(kit.writer(), K::TEXTS.lock_items));
    }
}

impl Scene<PgCluster> {
    /// The servers know no connection that the library does not count, and one of its monitor's
    /// each. What it counts and they do not are idle connections that were ended unseen: one for
    /// each session of the pool at the most.
    pub async fn assert_no_leak(&self) {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora'";
        let monitors =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora monitor'";
        let instances = [vec![self.kit.writer()], self.kit.readers()].concat();
        let is_as_counted = async || {
            let open: i64 = instances.iter().map(|index| self.ask(*index, sessions)).sum();
            let one_each = instances.iter().all(|index| self.ask(*index, monitors) <= 1);
            let counted = i64::try_from(self.connections()).unwrap();
            (0..=SESSIONS as i64).contains(&(counted - open)) && one_each
        };
        let end = Instant::now() + LIMIT;
        while !is_as_counted().await {
            let told = || format!("{} counted, of {:#?}", self.connections(), self.servers_tell());
            assert!(Instant::now() < end, "a connection is leaked: {}", told());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The connections of the library's that the servers know.
    fn servers_tell(&self) -> Vec<String> {
        const WHO: &str = "SELECT concat_ws(' ', application_name, pid, backend_start, state, \
                           state_change, wait_event, query) FROM pg_stat_activity \
                           WHERE application_name LIKE 'aurora%'";
        let tell = |index| {
            let rows = self.kit(|kit| kit.superuser(index).unwrap().query(WHO, &[]).unwrap());
            let line = move |row: &postgres::Row| format!("{index}: {}", row.get::<_, String>(0));
            rows.iter().map(line).collect::<Vec<_>>()
        };
        [vec![self.kit.writer()], self.kit.readers()].concat().into_iter().flat_map(tell).collect()
    }
}

impl<K: Servers> Scene<K> {
    /// The pool hands out sessions that work, at least as many as it has.
    pub async fn assert_usable(&self) {
        let before = self.stored("usable");
        for _ in 0..10 {
            let mut session = self.guest().await;
            assert!(session.add("usable").await.unwrap() > 0);
            assert!(session.names().await.unwrap().contains(&"usable".to_owned()));
        }
        assert_eq!(self.stored("usable"), before + 10);
    }
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The work of a transaction or a scope.
pub fn inside<'w, F>(work: F) -> Work<'w>
where
    F: for<'a> FnOnce(&'a mut (dyn Session + 'w)) -> BoxFuture<'a, Answer<()>> + Send + 'w,
{
    Box::new(work)
}
