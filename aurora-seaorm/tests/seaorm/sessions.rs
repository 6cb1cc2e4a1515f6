//! Who reads what was written: a task, or an explicit session.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, PaginatorTrait};

use crate::both::sessions;
use crate::entities::{item, named};
use crate::stand::{Stand, eventually, one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_reads_what_it_wrote_from_lagging_readers() {
    let stand = Stand::new(2).await;
    sessions::a_task_reads_what_it_wrote(&stand).await;
    // Others did not write, and need not see it.
    let [_, reader] = stand
        .counting::<2>(async {
            let db = stand.db.clone();
            let other = tokio::spawn(async move { item::Entity::find().count(&db).await.unwrap() });
            assert_eq!(other.await.unwrap(), 0);
        })
        .await;
    assert_eq!(reader, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_reads_what_it_wrote_from_every_task_until_a_reader_has_caught_up() {
    let stand = Stand::with(
        test_kit::PgCluster::builder().instances(2).synchronous(false),
        "probe_interval=50ms",
    )
    .await;
    stand.verb(|kit| kit.pause_replay(1)).await;
    let session = stand.db.session();
    named("a").insert(&session).await.unwrap();
    let clone = session.clone();
    let task = tokio::spawn(async move { item::Entity::find().count(&clone).await.unwrap() });
    assert_eq!(task.await.unwrap(), 1, "the same session in another task");
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 0, "another session");
    stand.verb(|kit| kit.resume_replay(1)).await;
    let mut on_reader = 0;
    for _ in 0..2000 {
        let [_, reader] = stand
            .counting::<2>(async {
                assert_eq!(item::Entity::find().count(&session).await.unwrap(), 1);
            })
            .await;
        on_reader = reader;
        if on_reader > 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(on_reader, 1, "the reader serves the session again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_stays_with_an_explicit_session_and_never_reaches_another() {
    let stand = Stand::new(1).await;
    let session = stand.db.session();
    session.execute_unprepared("SET application_name = 'mine'").await.unwrap();
    let name = "SHOW application_name";
    assert_eq!(one::<String>(&session, name).await, "mine");
    assert_eq!(one::<String>(&stand.db, name).await, "aurora");
    drop(session);
    stand.db.execute_unprepared("SET application_name = 'leaked'").await.unwrap();
    for _ in 0..12 {
        assert_eq!(one::<String>(&stand.db, name).await, "aurora");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_as_text_needs_a_session() {
    let stand = Stand::new(1).await;
    sessions::is_refused(&stand.db, "BEGIN").await;
    let session = stand.db.session();
    sessions::a_transaction_as_text(&stand.db, &session).await;
    // A session that is dropped in a transaction leaves none behind.
    session.execute_unprepared("BEGIN; LOCK TABLE items").await.unwrap();
    drop(session);
    named("b").insert(&stand.db).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_shared_and_bounded() {
    let stand = Stand::new(1).await;
    let db = aurora_seaorm::AuroraConnection::builder(stand.cluster.clone())
        .max_connections(3)
        .on_connect(|connection| {
            Box::pin(async move {
                sqlx::raw_sql("SET statement_timeout = '7s'").execute(connection).await.map(|_| ())
            })
        })
        .build();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let sleep = "SELECT current_setting('statement_timeout') FROM pg_sleep(0.05)";
                one::<String>(&db, sleep).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "7s");
    }
    let connects = stand.cluster.topology().writer().unwrap().stats().connects();
    assert_eq!(connects, 3);
    eventually("they are idle", || {
        stand.cluster.topology().writer().unwrap().stats().in_flight() == 0
    })
    .await;
}
