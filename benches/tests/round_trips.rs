//! What goes over the wire: a check-out and a statement through an adapter of ours send no more
//! than the bare ORM with the same pool, while the topology is unchanged.
//!
//! Counted in bytes by a proxy: one more round trip, whatever it asks, is five bytes at least.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "../benches/end_to_end_async/doors.rs"]
mod doors;
#[path = "../benches/end_to_end_async/pools.rs"]
mod pools;

use std::sync::Arc;
use std::time::Duration;

use aurora_diesel::asynchronous::AuroraConnectionManager;
use aurora_diesel::{Cluster, Config};
use test_kit::PgCluster;
use tokio::runtime::Runtime;

use doors::{Door, Kind};

const STATEMENTS: i32 = 2000;
/// The least that one more round trip per statement would be: a message without content each.
const ONE_MORE_EACH: u64 = 5 * STATEMENTS as u64;

struct Ground {
    runtime: Runtime,
    kit: PgCluster,
    cluster: Cluster,
}

impl Ground {
    /// Monitors ask rarely, as they are counted as well.
    fn new() -> Self {
        let kit = PgCluster::builder().instances(2).behind_proxies().start().unwrap();
        let sql = "CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL);
                   CREATE TABLE events (id serial PRIMARY KEY, item integer NOT NULL);
                   INSERT INTO items SELECT n, 'item' FROM generate_series(1, 2000) AS n";
        kit.client(0).unwrap().batch_execute(sql).unwrap();
        let mut reader = kit.client(1).unwrap();
        let arrived = test_kit::wait_until(Duration::from_secs(20), || {
            let count = reader.query_one("SELECT count(*) FROM items", &[]);
            count.is_ok_and(|row| row.get::<_, i64>(0) == 2000)
        });
        assert!(arrived, "the rows did not arrive on the reader");
        let config =
            Config::from_url(&format!("{}?detection_time=30s&probe_interval=10s", kit.url()))
                .unwrap();
        let cluster = Cluster::connect_blocking(config).unwrap();
        Self { runtime: Runtime::new().unwrap(), kit, cluster }
    }

    fn url(&self, kind: Kind) -> String {
        self.kit.instance_url(usize::from(kind == Kind::Select))
    }

    /// The bytes that the statements send to the server of their kind, after a first one that
    /// connects and prepares.
    fn sent(&self, door: impl Door, kind: Kind) -> u64 {
        let door = Arc::new(door);
        let run = |from: i32, to: i32| {
            let door = Arc::clone(&door);
            self.runtime.block_on(async move {
                for key in from..=to {
                    door.run(kind, key).await;
                }
            });
        };
        let proxy = self.kit.proxy(usize::from(kind == Kind::Select));
        run(1, 1);
        let before = proxy.stats().bytes_to_server;
        run(1, STATEMENTS);
        proxy.stats().bytes_to_server - before
    }

    #[track_caller]
    fn judge(&self, kind: Kind, ours: impl Door, bare: impl Door) {
        let (ours, bare) = (self.sent(ours, kind), self.sent(bare, kind));
        assert!(bare > ONE_MORE_EACH, "statements are counted: {bare}");
        println!("{kind:?}: ours {ours} bytes, bare {bare} bytes");
        assert!(ours < bare + ONE_MORE_EACH / 2, "{kind:?}: ours {ours} bytes, bare {bare} bytes");
    }
}

#[test]
fn no_adapter_adds_a_round_trip_to_a_statement_or_a_check_out() {
    let ground = Ground::new();
    for kind in [Kind::Select, Kind::Insert] {
        let manager = || AuroraConnectionManager::new(ground.cluster.clone());
        let url = ground.url(kind);
        let ours = ground.runtime.block_on(bb8::Pool::builder().max_size(1).build(manager()));
        let bare = ground.runtime.block_on(pools::bb8(&url, 1));
        ground.judge(kind, ours.unwrap(), bare.unwrap());
        let ours = aurora_diesel::asynchronous::deadpool::Pool::builder(manager()).max_size(1);
        ground.judge(kind, ours.build().unwrap(), pools::deadpool(&url, 1).unwrap());
        let ours = mobc::Pool::builder().max_open(1).build(manager());
        ground.judge(kind, ours, pools::mobc(&url, 1));
        let ours = aurora_seaorm::AuroraConnection::builder(ground.cluster.clone());
        let bare = ground.runtime.block_on(pools::seaorm(&url, 1));
        ground.judge(kind, ours.max_connections(1).build(), bare.unwrap());
    }
}

#[test]
fn a_check_at_check_out_would_be_noticed() {
    use diesel_async::AsyncPgConnection;
    use diesel_async::pooled_connection::AsyncDieselConnectionManager as Manager;
    let ground = Ground::new();
    let url = ground.url(Kind::Select);
    let checking = bb8::Pool::builder().max_size(1).test_on_check_out(true);
    let checking = checking.build(Manager::<AsyncPgConnection>::new(url.as_str()));
    let checking = ground.sent(ground.runtime.block_on(checking).unwrap(), Kind::Select);
    let bare = ground.runtime.block_on(pools::bb8(&url, 1)).unwrap();
    let bare = ground.sent(bare, Kind::Select);
    assert!(checking >= bare + ONE_MORE_EACH, "{checking} bytes with a check, {bare} without");
}
