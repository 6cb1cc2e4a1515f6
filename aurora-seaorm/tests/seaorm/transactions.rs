//! Transactions stay where they began.

use sea_orm::{ActiveModelTrait, ConnectionTrait, TransactionTrait};

use crate::both::transactions::{self, all_are_rolled_back_and_connections_kept, count};
use crate::entities::named;
use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closures_commit_or_roll_back() {
    transactions::closures_commit_or_roll_back(&Stand::new(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_transactions_are_savepoints() {
    let stand = Stand::new(1).await;
    let outer = stand.db.begin().await.unwrap();
    transactions::savepoints(&outer).await;
    let failing = outer.begin().await.unwrap();
    failing.execute_unprepared("SELECT 1/0").await.unwrap_err();
    failing.rollback().await.unwrap();
    outer.commit().await.unwrap();
    assert_eq!(count(&stand.db).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_rolled_back_and_its_connection_kept() {
    let stand = Stand::new(1).await;
    for _ in 0..5 {
        let txn = stand.db.begin().await.unwrap();
        named("a").insert(&txn).await.unwrap();
        txn.execute_unprepared("LOCK TABLE items").await.unwrap();
        drop(txn);
        // Waits for the lock of the one that was dropped.
        assert_eq!(count(&stand.db.on_writer()).await, 0);
    }
    let open = "SELECT count(*)::text FROM pg_stat_activity \
                WHERE usename = 'app' AND state LIKE 'idle in transaction%'";
    all_are_rolled_back_and_connections_kept(&stand, open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_a_tied_session_runs_on_its_connection() {
    let stand = Stand::new(1).await;
    let session = stand.db.session();
    session.execute_unprepared("CREATE TEMPORARY TABLE mine (id int)").await.unwrap();
    let txn = session.begin().await.unwrap();
    txn.execute_unprepared("INSERT INTO mine VALUES (1)").await.unwrap();
    txn.rollback().await.unwrap();
    let txn = session.begin().await.unwrap();
    txn.execute_unprepared("INSERT INTO mine VALUES (2)").await.unwrap();
    txn.commit().await.unwrap();
    let counted = session.execute_unprepared("DELETE FROM mine").await.unwrap();
    assert_eq!(counted.rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_commit_does_not_reach_into_the_next_transaction_of_its_session() {
    let stand = Stand::new(1).await;
    stand.seed("CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)").await;
    let session = stand.db.session();
    // Tied to its connection, the session begins the next transaction where this one ends.
    session.execute_unprepared("SET application_name = 'tied'").await.unwrap();
    session.execute_unprepared("INSERT INTO late VALUES (0)").await.unwrap();
    for _ in 0..50 {
        let refused = session.begin().await.unwrap();
        refused.execute_unprepared("INSERT INTO late VALUES (0)").await.unwrap();
        refused.commit().await.unwrap_err();
        let next = session.begin().await.unwrap();
        named("next").insert(&next).await.unwrap();
        tokio::task::yield_now().await;
        named("next").insert(&next).await.unwrap();
        next.commit().await.unwrap();
    }
    assert_eq!(count(&session).await, 100);
}
