//! Rows as they arrive.

use aurora_seaorm::{Outcome, outcome};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, StreamTrait, TransactionTrait};

use crate::entities::{item, named};
use crate::stand::{Stand, text};

const MANY: &str =
    "INSERT INTO items (name) SELECT repeat('x', 100) FROM generate_series(1, 20000)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_reaches_whoever_takes_the_rows() {
    let stand = Stand::new(1).await;
    let failing = "SELECT 10 / (i - 50) AS n FROM generate_series(1, 100) i";
    let rows = stand.db.stream_raw(text(failing)).await.unwrap();
    let rows: Vec<_> = rows.collect().await;
    let error = rows.last().unwrap().as_ref().unwrap_err();
    assert_eq!(outcome(error), Outcome::NotApplied);
    assert_eq!(rows.iter().filter(|row| row.is_err()).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_run_again_before_its_first_row_and_never_after() {
    let stand = Stand::new(3).await;
    // More than all buffers on the way can hold.
    stand.seed(&MANY.replace("100)", "3000)")).await;
    for round in 0..2 {
        // One whose statement has not begun, one that is in the middle.
        let db = stand.db.on_reader();
        item::Entity::find().count(&db).await.unwrap();
        let fresh = item::Entity::find().stream(&db).await.unwrap();
        let mut begun = item::Entity::find().stream(&db).await.unwrap();
        begun.next().await.unwrap().unwrap();
        let end = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
                   WHERE usename = 'app' AND application_name = 'aurora' AND query LIKE '%items%'";
        for reader in [1, 2] {
            stand.ask(reader, end).await;
        }
        let rows: Vec<_> = fresh.try_collect().await.unwrap();
        assert_eq!(rows.len(), 20_000, "round {round}");
        let rest: Vec<_> = begun.collect().await;
        let failed: Vec<_> = rest.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(failed.len(), 1, "round {round}");
        assert_eq!(outcome(failed[0]), Outcome::NotApplied);
        assert!(rest.len() < 20_000, "no row comes twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_behind_a_stream_of_its_transaction_does_not_wait_for_ever() {
    let servers = test_kit::PgCluster::builder().instances(1);
    let stand = Stand::with(servers, "failover_timeout=300ms").await;
    stand.seed(MANY).await;
    let txn = stand.db.begin().await.unwrap();
    let mut rows = item::Entity::find().stream(&txn).await.unwrap();
    rows.next().await.unwrap().unwrap();
    let error = named("a").insert(&txn).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    drop(rows);
    named("b").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 20_001);
}
