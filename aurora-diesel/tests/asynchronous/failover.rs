//! A writer that falls silent, and one that is demoted while its connection lies in a pool.

use std::time::{Duration, Instant};

use aurora_diesel::asynchronous::{AuroraConnection, bb8};
use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::stand::{ITEMS, Stand, add, eventually, names};

/// How long a statement on an instance that has fallen silent may take to fail.
const BOUND: Duration = Duration::from_millis(3500);

async fn wait_on_writer(session: &mut AuroraConnection) -> QueryResult<usize> {
    diesel::sql_query("UPDATE items SET name = 'late' WHERE pg_sleep(60) IS NOT NULL")
        .execute(session)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_a_silent_writer_fails_and_the_next_write_gets_through() {
    let stand = Stand::new(3, ITEMS).await;
    let mut waiting = stand.session();
    add(&mut waiting, "one").await.unwrap();
    let pending = tokio::spawn(async move {
        let result = wait_on_writer(&mut waiting).await;
        (waiting, result, Instant::now())
    });
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'UPDATE items%'";
    eventually("it runs", async || stand.ask(0, running) == 1).await;
    let began = Instant::now();
    stand.kit(|kit| kit.pause(0)).unwrap();
    let (mut waiting, result, ended) = pending.await.unwrap();
    let error = result.unwrap_err();
    assert!(ended - began < BOUND, "{:?}", ended - began);
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    let session = &mut stand.session();
    let next = add(session, "two");
    let promote = async { stand.kit(|kit| kit.promote(1)).unwrap() };
    let (added, ()) = futures_util::future::join(next, promote).await;
    added.unwrap();
    add(&mut waiting, "three").await.unwrap();
    assert_eq!(names(&mut waiting).await, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_writer_passes_no_check_out() {
    let stand = Stand::new(3, ITEMS).await;
    let pool = bb8::Pool::builder().max_size(1).build(stand.manager.clone()).await.unwrap();
    add(&mut pool.get().await.unwrap(), "one").await.unwrap();
    stand.kit(|kit| kit.switchover(1)).unwrap();
    add(&mut pool.get().await.unwrap(), "two").await.unwrap();
    let rows: Vec<String> = names(&mut pool.get().await.unwrap()).await;
    assert_eq!(rows, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_on_a_killed_reader_is_run_again_elsewhere() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let slow = "SELECT count(pg_sleep(0.02)) FROM generate_series(1, 20)";
    let read = async {
        diesel::dsl::sql::<diesel::sql_types::BigInt>(slow).get_result::<i64>(session).await
    };
    let kill = async {
        let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%' AND pid <> pg_backend_pid()";
        eventually("it runs", async || stand.ask(1, running) == 1).await;
        stand.kit(|kit| kit.kill(1)).unwrap();
    };
    let (read, ()) = futures_util::future::join(read, kill).await;
    assert_eq!(read.unwrap(), 20);
}
