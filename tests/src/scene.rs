//! A cluster with the pool of an adapter connected to it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::LIMIT;
use crate::servers::{Servers, Setup};
use crate::stand::{Stand, caught_up, connect};
use aurora_core::Cluster;
use futures_util::future::BoxFuture;
use test_kit::PgCluster;
use tokio::task::block_in_place;

use crate::door::{Answer, Door, Guest, Open, Session, Work};

/// How many sessions the pool has.
pub const SESSIONS: usize = 8;

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
}

impl<K: Servers> Scene<K> {
    /// So many servers, whose acknowledged writes survive one of them if `synchronous`, connected to
    /// with these options of the URL; the items `a`, `b` and `c`.
    pub async fn started(open: Open, instances: usize, synchronous: bool, options: &str) -> Self {
        let setup = Setup::of(instances).synchronous(synchronous);
        Self::set_up(open, &setup, options).await
    }

    /// Servers as described, connected to with these options of the URL; the items `a`, `b` and `c`.
    pub async fn set_up(open: Open, setup: &Setup, options: &str) -> Self {
        let kit = block_in_place(|| K::started(setup));
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
        let sessions = self.sessions(index);
        self.kit(|kit| sessions.iter().for_each(|session| kit.end(index, *session)));
        sessions.len()
    }

    /// The sessions on a server that are no monitor's.
    #[must_use]
    pub fn sessions(&self, index: usize) -> Vec<i64> {
        let mut sessions = self.kit(|kit| kit.sessions(index));
        let of_monitors = self.monitors.get(index).map_or(&[][..], Vec::as_slice);
        sessions.retain(|session| !of_monitors.contains(session));
        sessions
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

    /// The servers know no connection that the library does not count, and one of its monitor's
    /// each. What it counts and they do not are idle connections that were ended unseen: one for
    /// each session of the pool at the most.
    pub async fn assert_no_leak(&self) {
        let instances = [vec![self.kit.writer()], self.kit.readers()].concat();
        let is_as_counted = async || {
            let (mut open, mut one_each) = (0, true);
            for index in &instances {
                let (sessions, monitors) =
                    self.kit(|kit| (kit.sessions(*index).len(), kit.monitors(*index)));
                // Where nothing tells it apart, the monitor's is among them.
                open += sessions as i64 - i64::from(monitors.is_none());
                one_each &= monitors.is_none_or(|monitors| monitors <= 1);
            }
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
        let tell = |index| {
            let lines = self.kit(|kit| kit.texts(index, K::TEXTS.who));
            lines.into_iter().map(move |line| format!("{index}: {line}"))
        };
        [vec![self.kit.writer()], self.kit.readers()].concat().into_iter().flat_map(tell).collect()
    }

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
