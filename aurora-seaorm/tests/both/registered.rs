//! SeaORM's own connection, following the writer or the readers.

use std::time::{Duration, Instant};

use aurora_core::OwnSocket;
use aurora_seaorm::{AuroraConnectOptions as _, Role};
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    PaginatorTrait,
};

use crate::engine::SERVER;
use crate::entities::{item, named};
use crate::ledger::Load;
use crate::stand::{LIMIT, Stand, one};

/// So many connections to the writer.
pub(crate) async fn to_writer(stand: &Stand, connections: u32) -> DatabaseConnection {
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    options.max_connections(connections).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// The name of the instance that a statement met.
async fn server(db: &DatabaseConnection) -> String {
    one(db, SERVER).await
}

/// Each of 20 statements meets a reader.
pub(crate) async fn leads_to_readers(db: &DatabaseConnection, stand: &Stand) {
    let readers = stand.kit.readers();
    let readers: Vec<_> = readers.into_iter().map(|reader| stand.kit.name(reader)).collect();
    for _ in 0..20 {
        let server = server(db).await;
        assert!(readers.contains(&server), "{server} is none of {readers:?}");
    }
}

pub(crate) async fn follows_the_writer(stand: &Stand) {
    let db = to_writer(stand, 8).await;
    let load = Load::start(stand, &db).await;
    for to in [1, 2] {
        load.goes_on().await;
        stand.verb(move |kit| kit.switchover(to)).await;
        stand.await_writer(to).await;
        load.goes_on().await;
        assert_eq!(server(&db).await, stand.kit.name(to));
    }
    stand.verb(|kit| kit.kill_and_promote(0)).await;
    stand.await_writer(0).await;
    load.goes_on().await;
    load.verify(stand).await;
    db.close().await.unwrap();
}

/// `sleep` lasts for ever, and `running` counts how often the server runs it.
pub(crate) async fn ends_with_its_hung_instance(sleep: &'static str, running: &str) {
    let stand = Stand::new(2).await;
    let db = to_writer(&stand, 1).await;
    let sleeping = tokio::spawn({
        let db = db.clone();
        async move { db.execute_unprepared(sleep).await }
    });
    while stand.ask(0, running).await != "1" {
        assert!(!sleeping.is_finished());
    }
    stand.verb(|kit| kit.pause(0)).await;
    stand.verb(|kit| kit.promote(1)).await;
    let ended = tokio::time::timeout(LIMIT, sleeping).await.expect("ended").unwrap();
    ended.unwrap_err();
    // The pool's only connection is free again, and leads to the new writer.
    assert_eq!(server(&db).await, stand.kit.name(1));
    db.close().await.unwrap();
}

/// The reader does not replay.
pub(crate) async fn the_handle_reads_what_the_writer_s_connection_wrote(stand: &Stand) {
    stand.verb(|kit| kit.pause_replay(1)).await;
    named("a").insert(stand.db.writer_database()).await.unwrap();
    let end = Instant::now() + LIMIT;
    while item::Entity::find().count(&stand.db).await.unwrap() == 0 {
        assert!(Instant::now() < end, "the handle still reads old data");
    }
}

/// How many connections to the first instance are bounded by this time.
pub(crate) fn bounded(stand: &Stand, time: Duration) -> usize {
    let (ip, port) = stand.kit.address(0);
    let sockets = OwnSocket::connected_to((ip, port).into());
    let times = sockets.iter().filter_map(OwnSocket::user_timeout);
    times.filter(|bound| *bound == time).count()
}
