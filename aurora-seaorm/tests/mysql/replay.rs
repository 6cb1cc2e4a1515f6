//! What became of a COMMIT whose answer was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use aurora_core::transaction::{MarkerTable, Resolve, RunOptions};
use aurora_seaorm::{Outcome, outcome};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, PaginatorTrait, TransactionError};

use crate::entities::{item, named};
use crate::stand::{LIMIT, Stand};

/// Runs a transaction that is committed on the writer, and whose connection is lost before the
/// writer answers: its commit waits for a reader that receives nothing. Says how often it was run.
async fn lose_the_answer(
    stand: &Stand,
    resolve: Resolve,
) -> (Result<(), TransactionError<DbErr>>, u32) {
    stand.cluster.create_marker_table(&MarkerTable::default()).await.unwrap();
    stand.verb(|kit| kit.await_readers()).await;
    stand.verb(|kit| kit.superuser(1)?.run("STOP SLAVE IO_THREAD")).await;
    let (db, runs) = (stand.db.clone(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&runs);
    let running = tokio::spawn(async move {
        let options = RunOptions::new().resolve(resolve);
        db.run_transaction_with::<_, (), DbErr>(&options, |txn| {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { named("once").insert(txn).await.map(drop) })
        })
        .await
    });
    let waits = "SELECT COALESCE(MAX(ID), 0) FROM information_schema.PROCESSLIST \
                 WHERE USER = 'app' AND STATE LIKE 'Waiting for semi-sync%'";
    let end = Instant::now() + LIMIT;
    let mut id = "0".to_owned();
    while id == "0" {
        assert!(Instant::now() < end && !running.is_finished(), "it does not wait");
        id = stand.ask(0, waits).await;
    }
    stand.verb(move |kit| kit.superuser(0)?.run(&format!("KILL {id}"))).await;
    stand.verb(|kit| kit.superuser(1)?.run("START SLAVE IO_THREAD")).await;
    let done = tokio::time::timeout(LIMIT, running).await.expect("resolved").unwrap();
    (done, runs.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_found_by_its_marker() {
    let stand = Stand::new(2).await;
    let (done, runs) = lose_the_answer(&stand, Resolve::Marker(MarkerTable::default())).await;
    done.unwrap();
    assert_eq!(runs, 1);
    let count = item::Entity::find().count(&stand.db.on_writer()).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_marker_the_outcome_is_unknown_and_nothing_is_run_again() {
    let stand = Stand::new(2).await;
    let (done, runs) = lose_the_answer(&stand, Resolve::SameServer).await;
    let error = done.unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert_eq!(runs, 1);
}
