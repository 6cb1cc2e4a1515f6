//! Where statements go, and what diesel-async's query DSL gives.

use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{RunQueryDsl, SaveChangesDsl, SimpleAsyncConnection};
use futures_util::{StreamExt, TryStreamExt};

use super::stand::{ITEMS, Stand, add, eventually, is_on_reader, items, names};

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_to_a_reader_and_see_what_the_session_wrote() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    assert!(is_on_reader(session).await);
    add(session, "one").await.unwrap();
    assert_eq!(names(session).await, ["one"]);
    eventually("the reader has caught up", async || is_on_reader(session).await).await;
    assert_eq!(names(session).await, ["one"]);
    stand.kit(|kit| kit.pause_replay(1)).unwrap();
    add(session, "two").await.unwrap();
    assert_eq!(names(session).await, ["one", "two"], "from the writer");
    assert!(!session.on_writer(async |session| is_on(session).await).await.unwrap());
    assert!(session.on_reader(async |session| is_on(session).await).await.unwrap());
    stand.kit(|kit| kit.resume_replay(1)).unwrap();
}

async fn is_on(session: &mut super::stand::Session) -> QueryResult<bool> {
    Ok(is_on_reader(session).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_in_a_task_of_its_own() {
    let stand = Stand::new(2, ITEMS).await;
    let mut session = stand.session();
    let task = tokio::spawn(async move {
        add(&mut session, "one").await.unwrap();
        let all = items::table.order(items::id).load_stream::<(i32, String)>(&mut session);
        let all: Vec<_> = all.await.unwrap().try_collect().await.unwrap();
        let found = items::table.filter(items::name.eq_any(["one", "two"])).count();
        let found: i64 = found.get_result(&mut session).await.unwrap();
        let empty = diesel::update(items::table.filter(items::id.eq(7)));
        let none = empty.set(items::name.eq("none")).execute(&mut session).await.unwrap();
        let same = diesel::update(items::table).set(items::name.eq("one"));
        (all, found, none, same.execute(&mut session).await.unwrap())
    });
    let (all, found, none, same) = task.await.unwrap();
    assert_eq!((all, found, none), (vec![(1, "one".to_owned())], 1, 0));
    assert_eq!(same, 1, "a row that was found counts, changed or not");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_nobody_wants_disturb_nobody() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let many = || sql::<BigInt>("SELECT seq FROM seq_1_to_200000");
    for _ in 0..3 {
        let mut rows = many().load_stream::<i64>(session).await.unwrap();
        assert_eq!(rows.next().await.unwrap().unwrap(), 1);
        drop(rows);
        assert_eq!(names(session).await, [""; 0]);
    }
    let sum = session
        .build_transaction()
        .run(async |session| {
            drop(many().load_stream::<i64>(session).await?);
            add(session, "kept").await?;
            let rows = many().load_stream::<i64>(session).await?;
            rows.try_fold(0_i64, async |sum, row| Ok(sum + row)).await
        })
        .await;
    assert_eq!(sum, QueryResult::Ok(20_000_100_000));
    assert_eq!(names(session).await, ["kept"]);
}

/// What diesel-async sets when it connects itself.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_have_the_settings_of_diesel_async_on_every_instance() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let settings = "CONCAT_WS(' ', @@time_zone, @@character_set_client, \
                    @@character_set_connection, @@character_set_results)";
    for is_reader in [true, false] {
        if !is_reader {
            session.writer().await.unwrap();
        }
        let read: String = diesel::select(sql::<Text>(settings)).get_result(session).await.unwrap();
        assert_eq!(read, "+00:00 utf8mb4 utf8mb4 utf8mb4");
        assert_eq!(is_on_reader(session).await, is_reader);
    }
}

#[derive(Clone, Copy, Identifiable, AsChangeset, Queryable, PartialEq, Debug)]
#[diesel(table_name = counters)]
struct Counter {
    id: i32,
    value: i64,
}

diesel::table! {
    counters (id) {
        id -> Integer,
        value -> BigInt,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn save_changes_returns_what_it_saved() {
    let sql = "CREATE TABLE counters (id INT PRIMARY KEY, value BIGINT); INSERT INTO counters VALUES (1, 1)";
    let stand = Stand::new(2, sql).await;
    stand.kit(|kit| kit.pause_replay(1)).unwrap();
    let session = &mut stand.session();
    session.set_freshness(aurora_core::Freshness::Eventual);
    let counter = Counter { id: 1, value: 7 };
    let saved: Counter = counter.save_changes(session).await.unwrap();
    assert_eq!(saved, counter);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_are_prepared() {
    let stand = Stand::new(2, ITEMS).await;
    let cluster = || stand.manager.cluster().clone();
    let manager = AuroraConnectionManager::mysql_with_on_connect(cluster(), |connection| {
        Box::pin(connection.batch_execute("SET SESSION max_statement_time = 7"))
    });
    let shown: String = diesel::select(sql::<Text>("CAST(@@max_statement_time AS CHAR)"))
        .get_result(&mut manager.session())
        .await
        .unwrap();
    assert!(shown.starts_with('7'), "{shown}");
    let manager = AuroraConnectionManager::mysql_with_on_connect(cluster(), |connection| {
        Box::pin(connection.batch_execute("SET nonsense"))
    });
    let error = add(&mut manager.session(), "never").await.unwrap_err();
    assert!(error.to_string().contains("on_connect"), "{error}");
    assert_eq!(stand.ask(0, "SELECT COUNT(*) FROM items"), "0");
}

/// A read by its looks, that a reader refuses as read-only.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_write_is_run_on_the_writer_and_remembered() {
    let stand = Stand::new(2, ITEMS).await;
    let create = "CREATE FUNCTION touch() RETURNS BIGINT MODIFIES SQL DATA \
                  BEGIN INSERT INTO items (name) VALUES ('touched'); RETURN 1; END";
    stand.kit(|kit| {
        for instance in [1, 0] {
            let trust = "SET GLOBAL log_bin_trust_function_creators = ON";
            kit.superuser(instance).unwrap().run(trust).unwrap();
        }
        kit.superuser(0).unwrap().run(create).unwrap();
        kit.await_readers().unwrap();
    });
    let session = &mut stand.session();
    for touched in 1..=2 {
        let one: i64 = diesel::select(sql::<BigInt>("touch()")).get_result(session).await.unwrap();
        assert_eq!(one, 1);
        assert_eq!(names(session).await, vec!["touched"; touched]);
    }
}
