//! A writer that falls silent.

use std::time::{Duration, Instant};

use aurora_diesel::asynchronous::AuroraConnection;
use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::stand::{ITEMS, LIMIT, Stand, add, eventually, names};

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
async fn a_write_that_connects_to_a_silent_writer_goes_to_the_next_one() {
    // Nothing is idle, and the silence alone would last longer than this test.
    let options = "max_idle_per_instance=0&connect_timeout=60s&failover_timeout=60s";
    let stand = Stand::with(3, options, ITEMS).await;
    add(&mut stand.session(), "one").await.unwrap();
    stand.kit(|kit| kit.pause(0)).unwrap();
    let session = &mut stand.session();
    let next = tokio::time::timeout(LIMIT, add(session, "two"));
    let promote = async { stand.kit(|kit| kit.promote(1)).unwrap() };
    let (added, ()) = futures_util::future::join(next, promote).await;
    added.expect("it does not wait for the old writer").unwrap();
    assert_eq!(names(session).await, ["one", "two"]);
}
