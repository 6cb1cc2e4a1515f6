//! SeaORM's own connection, following the writer or the readers.

use std::time::{Duration, Instant};

use aurora_core::OwnSocket;
use aurora_seaorm::{AuroraConnectOptions as _, ErrorKind, Role};
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    PaginatorTrait,
};
use test_kit::MariaDbCluster;

use crate::entities::{item, named};
use crate::ledger::Load;
use crate::stand::{LIMIT, Stand, eventually, one};

/// The number of the server that a statement met: the kit's instance and one more.
async fn server(db: &DatabaseConnection) -> i64 {
    one(db, "SELECT CAST(@@server_id AS SIGNED)").await
}

async fn server_of(stand: &Stand, index: usize) -> i64 {
    stand.ask(index, "SELECT @@server_id").await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_connection_follows_the_writer() {
    let stand = Stand::new(3).await;
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    options.max_connections(8).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let load = Load::start(&stand, &db).await;
    let goes_on = async || {
        let before = load.ledger.acknowledged();
        eventually("writes go on", || load.ledger.acknowledged() > before + 50).await;
    };
    for to in [1, 2] {
        goes_on().await;
        stand.verb(move |kit| kit.switchover(to)).await;
        stand.await_writer(to).await;
        goes_on().await;
        assert_eq!(server(&db).await, server_of(&stand, to).await);
    }
    stand.verb(|kit| kit.kill_and_promote(0)).await;
    stand.await_writer(0).await;
    goes_on().await;
    load.verify(&stand).await;
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_a_registered_connection_ends_with_its_hung_instance() {
    let stand = Stand::new(2).await;
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let sleeping = tokio::spawn({
        let db = db.clone();
        async move { db.execute_unprepared("SELECT SLEEP(3600)").await }
    });
    let sleeps = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                  WHERE INFO = 'SELECT SLEEP(3600)'";
    while stand.ask(0, sleeps).await != "1" {
        assert!(!sleeping.is_finished());
    }
    stand.verb(|kit| kit.pause(0)).await;
    stand.verb(|kit| kit.promote(1)).await;
    let ended = tokio::time::timeout(LIMIT, sleeping).await.expect("ended").unwrap();
    ended.unwrap_err();
    // The pool's only connection is free again, and leads to the new writer.
    assert_eq!(server(&db).await, server_of(&stand, 1).await);
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_reads_follows_the_readers() {
    let stand = Stand::new(3).await;
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Reader);
    options.sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let writer = server_of(&stand, 0).await;
    for _ in 0..20 {
        assert_ne!(server(&db).await, writer);
    }
    stand.verb(|kit| kit.switchover(1)).await;
    stand.await_writer(1).await;
    eventually("both are readers", || stand.cluster.topology().readers().len() == 2).await;
    let writer = server_of(&stand, 1).await;
    for _ in 0..20 {
        assert_ne!(server(&db).await, writer);
    }
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_through_the_writer_s_connection_is_read_through_the_handle() {
    let stand = Stand::new(2).await;
    stand.verb(|kit| kit.pause_replay(1)).await;
    named("a").insert(stand.db.writer_database()).await.unwrap();
    let end = Instant::now() + LIMIT;
    while item::Entity::find().count(&stand.db).await.unwrap() == 0 {
        assert!(Instant::now() < end, "the handle still reads old data");
    }
    stand.verb(|kit| kit.resume_replay(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_of_another_engine_are_refused() {
    let stand = Stand::new(1).await;
    let mut options = ConnectOptions::new("postgres://app@localhost/app");
    options.aurora(&stand.cluster, Role::Writer);
    let error = Database::connect(options).await.unwrap_err();
    let kind = aurora_seaorm::cause(&error).map(aurora_seaorm::Error::kind);
    assert_eq!(kind, Some(ErrorKind::Configuration), "{error}");
}

/// sqlx cannot be told, and would let a statement wait for ever on a connection that something on
/// the way has forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_bounded_by_the_operating_system() {
    let servers = MariaDbCluster::builder().instances(2);
    let stand = Stand::with(servers, "tcp_user_timeout=7s").await;
    let (ip, port) = stand.kit.address(0);
    let bounded = || {
        let sockets = OwnSocket::connected_to((ip, port).into());
        let times = sockets.iter().filter_map(OwnSocket::user_timeout);
        times.filter(|time| *time == Duration::from_secs(7)).count()
    };
    let before = bounded();
    stand.db.execute_unprepared("DELETE FROM items").await.unwrap();
    assert_eq!(bounded(), before + 1);
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    db.execute_unprepared("DELETE FROM items").await.unwrap();
    assert_eq!(bounded(), before + 2);
    db.close().await.unwrap();
}
