//! SeaORM's own connection, following the writer or the readers.

use std::time::Duration;

use aurora_seaorm::{AuroraConnectOptions as _, ErrorKind, Role};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use test_kit::MariaDbCluster;

use crate::both::registered::{self, bounded, leads_to_readers, to_writer};
use crate::stand::{Stand, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_connection_follows_the_writer() {
    let stand = Stand::new(3).await;
    registered::follows_the_writer(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_a_registered_connection_ends_with_its_hung_instance() {
    let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE INFO = 'SELECT SLEEP(3600)'";
    registered::ends_with_its_hung_instance("SELECT SLEEP(3600)", running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_reads_follows_the_readers() {
    let stand = Stand::new(3).await;
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Reader);
    options.sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    leads_to_readers(&db, &stand).await;
    stand.verb(|kit| kit.switchover(1)).await;
    stand.await_writer(1).await;
    eventually("both are readers", || stand.cluster.topology().readers().len() == 2).await;
    leads_to_readers(&db, &stand).await;
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_through_the_writer_s_connection_is_read_through_the_handle() {
    let stand = Stand::new(2).await;
    registered::the_handle_reads_what_the_writer_s_connection_wrote(&stand).await;
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
    let bounded = || bounded(&stand, Duration::from_secs(7));
    let before = bounded();
    stand.db.execute_unprepared("DELETE FROM items").await.unwrap();
    assert_eq!(bounded(), before + 1);
    let db = to_writer(&stand, 1).await;
    db.execute_unprepared("DELETE FROM items").await.unwrap();
    assert_eq!(bounded(), before + 2);
    db.close().await.unwrap();
}
