//! Crowds of tasks that want connections at the same moment, and servers that have none left.

use std::time::Instant;

use aurora_seaorm::{AuroraConnection, ErrorKind, cause, instance};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, PaginatorTrait};
use test_kit::PgCluster;
use tokio::task::JoinSet;

use crate::entities::{item, named};
use crate::stand::{Stand, eventually};

/// Connections per second, in these tests.
const RATE: usize = 40;
/// What goes at once on top of that, and the monitor's own.
const SLACK: usize = 8 + 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_resume_after_a_failover_within_the_ramp() {
    let servers = PgCluster::builder().instances(3).behind_proxies();
    let servers = servers.setting("max_connections", "300");
    let stand = Stand::with(servers, &format!("connect_rate={RATE}")).await;
    let db = AuroraConnection::builder(stand.cluster.clone()).max_connections(200).build();
    stand.verb(|kit| kit.kill(0)).await;
    eventually("the writer is lost", || stand.cluster.topology().writer().is_none()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let db = db.clone();
        // So slow that all 200 want a connection of their own.
        let insert = "INSERT INTO items (name) SELECT 'a' FROM pg_sleep(0.2)";
        tasks.spawn(async move { db.execute_unprepared(insert).await });
    }
    stand.kit.proxy(1).forget_peaks();
    stand.verb(|kit| kit.promote(1)).await;
    for inserted in tasks.join_all().await {
        assert_eq!(inserted.unwrap().rows_affected(), 1);
    }
    let peak = stand.kit.proxy(1).stats().most_accepted_in_a_second;
    assert!(peak <= RATE + SLACK, "{peak} connects in a second");
    let topology = stand.cluster.topology();
    let opened = topology.writer().unwrap().stats().connects();
    println!("peak: {peak} connects in a second, of {RATE} allowed; opened: {opened}");
    assert!(opened > (RATE + SLACK) as u64, "{opened}: without the limit it would have been more");
    for instance in topology.instances() {
        assert!(instance.stats().failed_connects() <= 10, "{instance:?}");
    }
    assert_eq!(stand.ask(1, "SELECT count(*)::text FROM items").await, "1000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_slot_is_full_and_not_dead() {
    let servers = PgCluster::builder().instances(3).behind_proxies();
    let stand = Stand::with(servers, "failover_timeout=2s").await;
    stand.seed("ALTER ROLE app CONNECTION LIMIT 12").await;
    let mut events = stand.cluster.events();
    let fill = |index: usize| {
        stand.verb(move |kit| {
            let taken: Vec<_> = std::iter::from_fn(|| kit.client(index).ok()).take(30).collect();
            assert!(taken.len() < 30, "it is full");
            Ok(taken)
        })
    };
    let (on_writer, on_reader) = (fill(0).await, fill(1).await);
    for index in [0, 1] {
        stand.kit.proxy(index).forget_peaks();
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let db = stand.db.clone();
        tasks.spawn(async move { item::Entity::find().count(&db).await });
    }
    for read in tasks.join_all().await {
        read.unwrap();
    }
    let reads = stand.queries::<3>();
    assert_eq!((reads[0], reads[1]), (0, 0), "{reads:?} after {:?}", began.elapsed());
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let db = stand.db.clone();
        tasks.spawn(async move { named("a").insert(&db).await });
    }
    let mut told = 0;
    for written in tasks.join_all().await {
        let error = written.unwrap_err();
        let kind = cause(&error).map(aurora_seaorm::Error::kind);
        // Those without a place among `max_connections` are told that.
        assert!(
            matches!(kind, Some(ErrorKind::TooManyConnections | ErrorKind::Deadline)),
            "{error}"
        );
        assert_eq!(instance(&error), Some(&stand.id(0)), "{error}");
        told += usize::from(kind == Some(ErrorKind::TooManyConnections));
    }
    assert!(told >= 10, "{told} were told that the server is full");
    for index in [0, 1] {
        let peak = stand.kit.proxy(index).stats().most_accepted_in_a_second;
        println!("peak: {peak} tries in a second at the full instance {index}");
        assert!(peak <= 16, "{peak} connects in a second to instance {index}");
    }
    let all: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(all.is_empty(), "{all:?}");
    crate::stand::blocking(move || drop((on_writer, on_reader))).await;
    named("a").insert(&stand.db).await.unwrap();
}
