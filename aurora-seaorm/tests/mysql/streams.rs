//! Rows as they arrive.

use futures_util::StreamExt as _;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, PaginatorTrait, TransactionTrait};
use test_kit::MariaDbCluster;

use crate::both::streams;
use crate::entities::{item, named};
use crate::stand::{Stand, one};

/// More than all buffers on the way can hold.
const MANY: &str = "INSERT INTO items (name) SELECT REPEAT('x', 3000) FROM seq_1_to_5000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_reaches_whoever_takes_the_rows() {
    // A subquery of more than one row.
    let failing = "SELECT IF(seq = 50, (SELECT seq FROM seq_1_to_2), seq) FROM seq_1_to_100";
    streams::an_error_reaches_whoever_takes_the_rows(failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_run_again_before_its_first_row_and_never_after() {
    let stand = Stand::new(2).await;
    stand.seed(MANY).await;
    let cut = async || stand.verb(|kit| kit.kill(1)).await;
    streams::is_run_again_before_its_first_row_alone(&stand, 5000, cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_goes_on_after_a_stream_that_was_dropped_anywhere() {
    let stand = Stand::new(1).await;
    stand.seed(MANY).await;
    for taken in [0, 1, 2, 31, 32, 33, 100, 1000] {
        let txn = stand.db.begin().await.unwrap();
        named("before").insert(&txn).await.unwrap();
        let mut rows = item::Entity::find().stream(&txn).await.unwrap();
        for _ in 0..taken {
            rows.next().await.unwrap().unwrap();
        }
        drop(rows);
        named("after").insert(&txn).await.unwrap();
        assert_eq!(item::Entity::find().count(&txn).await.unwrap(), 5002, "after {taken}");
        txn.rollback().await.unwrap();
    }
    let session = stand.db.session();
    session.execute_unprepared("SET @tied = 1").await.unwrap();
    let mut rows = item::Entity::find().stream(&session).await.unwrap();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    assert_eq!(one::<i64>(&session, "SELECT CAST(@tied AS SIGNED)").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_behind_a_stream_of_its_transaction_does_not_wait_for_ever() {
    let stand = Stand::with(MariaDbCluster::builder().instances(1), "failover_timeout=300ms").await;
    stand.seed(MANY).await;
    streams::a_statement_behind_a_stream_does_not_wait(&stand, 5000).await;
}
