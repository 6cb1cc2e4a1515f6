//! SeaORM's own connection, following the writer or the readers.

use std::sync::Arc;
use std::time::Duration;

use aurora_seaorm::{AuroraConnectOptions as _, ConnectAurora as _, Role};
use sea_orm::{ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, EntityTrait};
use sqlx::Row as _;
use test_kit::PgCluster;

use crate::both::registered::{self, bounded, leads_to_readers, to_writer};
use crate::both::routing;
use crate::entities::{item, named};
use crate::stand::{LIMIT, Stand, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_connection_follows_the_writer() {
    let stand = Stand::with(PgCluster::builder().instances(3), "").await;
    registered::follows_the_writer(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_a_registered_connection_ends_with_its_hung_instance() {
    let running =
        "SELECT count(*)::text FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'";
    registered::ends_with_its_hung_instance("SELECT pg_sleep(3600)", running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_reads_spreads_over_the_readers_and_follows_them() {
    let stand = Stand::new(3).await;
    let db = Database::connect(ConnectOptions::for_cluster(&stand.cluster, Role::Reader)).await;
    let db = db.unwrap();
    let pool = db.get_postgres_connection_pool();
    let (mut seen, mut held) = (std::collections::BTreeSet::new(), Vec::new());
    // The one that proved that there is something to connect to.
    held.push(pool.acquire().await.unwrap());
    while seen.len() < 2 && held.len() < 8 {
        let mut connection = pool.acquire().await.unwrap();
        let address = sqlx::raw_sql("SELECT host(inet_server_addr())");
        let row = address.fetch_one(&mut *connection).await.unwrap();
        seen.insert(row.get::<String, _>(0));
        held.push(connection);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [1, 2].map(|n| stand.kit.address(n).0.to_string())
    );
    drop(held);
    stand.verb(|kit| kit.switchover(1)).await;
    eventually("it is a reader", || stand.cluster.topology().readers().len() == 2).await;
    leads_to_readers(&db, &stand).await;
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_through_the_writer_s_connection_is_read_through_the_handle() {
    let stand = Stand::new(2).await;
    registered::the_handle_reads_what_the_writer_s_connection_wrote(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_connects() {
    routing::one_line_connects(&Stand::new(2).await).await;
    let error = Database::connect_aurora("postgres://app@/shop").await.unwrap_err();
    let kind = aurora_seaorm::cause(&error).map(aurora_seaorm::Error::kind);
    assert_eq!(kind, Some(aurora_seaorm::ErrorKind::Configuration));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_when_the_last_handle_is_dropped() {
    let stand = Stand::new(2).await;
    let db = Database::connect_aurora(stand.kit.url()).await.unwrap();
    named("a").insert(db.writer_database()).await.unwrap();
    item::Entity::find().all(&db).await.unwrap();
    let mut events = db.cluster().events();
    drop(db);
    let closed = tokio::time::timeout(LIMIT, async { while events.next().await.is_some() {} });
    closed.await.unwrap();
    let kit = Arc::clone(&stand.kit);
    drop(stand);
    let gone = crate::stand::blocking(move || {
        let mut client = kit.superuser(0).unwrap();
        let open = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        test_kit::wait_until(LIMIT, || client.query_one(open, &[]).unwrap().get::<_, i64>(0) == 0)
    });
    assert!(gone.await, "connections stay open");
}

/// sqlx cannot be told, and would let a statement wait for ever on a connection that something on
/// the way has forgotten. Behind proxies the server sees other ports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_bounded_by_the_operating_system() {
    let servers = PgCluster::builder().instances(2);
    for servers in [servers.clone(), servers.behind_proxies()] {
        let stand = Stand::with(servers, "tcp_user_timeout=7s").await;
        let bounded = || bounded(&stand, Duration::from_secs(7));
        assert_eq!(bounded(), 0);
        stand.db.execute_unprepared("DELETE FROM items").await.unwrap();
        // Where ports are changed the monitor's one cannot be told apart.
        let before = bounded();
        assert!((1..=2).contains(&before), "{before}");
        let db = to_writer(&stand, 1).await;
        db.execute_unprepared("DELETE FROM items").await.unwrap();
        assert_eq!(bounded(), before + 1);
        db.close().await.unwrap();
    }
}
