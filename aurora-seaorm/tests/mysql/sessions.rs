//! What ties a session to its connection, and how connections are prepared.

use aurora_seaorm::{AuroraConnection, Outcome, outcome};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, SqlErr, Statement,
};

use crate::both::sessions;
use crate::entities::{item, named};
use crate::stand::{Stand, one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_reads_what_it_wrote_from_lagging_readers() {
    let stand = Stand::new(2).await;
    sessions::a_task_reads_what_it_wrote(&stand).await;
    stand.verb(|kit| kit.resume_replay(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_stays_with_an_explicit_session_and_never_reaches_another() {
    let stand = Stand::new(1).await;
    let session = stand.db.session();
    session.execute_unprepared("SET @mine = 7").await.unwrap();
    let mine = "SELECT CAST(COALESCE(@mine, 0) AS SIGNED)";
    assert_eq!(one::<i64>(&session, mine).await, 7);
    assert_eq!(one::<i64>(&stand.db, mine).await, 0);
    drop(session);
    stand.db.execute_unprepared("SET @mine = 8").await.unwrap();
    for _ in 0..12 {
        assert_eq!(one::<i64>(&stand.db, mine).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_as_text_needs_a_session() {
    let stand = Stand::new(1).await;
    for begin in ["BEGIN", "START TRANSACTION"] {
        sessions::is_refused(&stand.db, begin).await;
    }
    sessions::a_transaction_as_text(&stand.db, &stand.db.session()).await;
}

/// What sqlx's own connections have, and what the user adds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_prepared() {
    let stand = Stand::new(2).await;
    let db = AuroraConnection::builder(stand.cluster.clone())
        .on_connect_mysql(|connection| {
            Box::pin(async move {
                let set = sqlx::raw_sql("SET SESSION innodb_lock_wait_timeout = 7");
                set.execute(connection).await.map(|_| ())
            })
        })
        .build();
    for db in [db.on_writer(), db.on_reader()] {
        let prepared = "SELECT CONCAT(@@time_zone, ' ', @@character_set_client, ' ', \
                        @@innodb_lock_wait_timeout, ' ', 'pi' || 'pe')";
        assert_eq!(one::<String>(&db, prepared).await, "+00:00 utf8mb4 7 pipe");
        assert!(one::<String>(&db, "SELECT @@sql_mode").await.contains("NO_ENGINE_SUBSTITUTION"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_a_statement_are_its_own_and_cost_no_connection() {
    let stand = Stand::new(1).await;
    let id = named("a").insert(&stand.db).await.unwrap().id;
    let connects = || stand.cluster.topology().writer().unwrap().stats().connects();
    let before = connects();
    let again = item::ActiveModel { id: sea_orm::Set(id), ..named("b") };
    let error = item::Entity::insert(again).exec(&stand.db).await.unwrap_err();
    assert!(matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))), "{error}");
    assert_eq!(outcome(&error), Outcome::NotApplied);
    let error = stand.db.execute_unprepared("SELECT FROM WHERE").await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied);
    assert_eq!(connects(), before);
    // Of which nothing was sent.
    let misfit = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO items (name) VALUES (?)",
        Vec::new(),
    );
    let error = stand.db.execute_raw(misfit).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_whose_future_is_dropped_leaves_nothing_to_the_next() {
    let stand = Stand::new(1).await;
    for pause in [1, 3, 10] {
        let sleep = one::<i32>(&stand.db, "SELECT SLEEP(30)");
        let limit = std::time::Duration::from_millis(pause);
        tokio::time::timeout(limit, sleep).await.unwrap_err();
        assert_eq!(one::<i32>(&stand.db, "SELECT 41 + 1").await, 42);
    }
}
