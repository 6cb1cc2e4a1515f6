//! Futures that are dropped in the middle.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, TransactionTrait};

use crate::stand::{Stand, eventually, item, named};

/// Inserts, commits and reads with deadlines so short that they are dropped at every point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_futures_leave_no_connection_behind_that_is_not_clean() {
    let stand = Stand::new(2).await;
    let tasks: Vec<_> = (0..4_u64)
        .map(|task| {
            let db = stand.db.clone();
            tokio::spawn(async move {
                for round in 0..400_u64 {
                    let limit = Duration::from_micros((round * 37 + task * 11) % 3000);
                    let work = async {
                        named("a").insert(&db).await?;
                        let txn = db.begin().await?;
                        named("b").insert(&txn).await?;
                        let nested = txn.begin().await?;
                        named("c").insert(&nested).await?;
                        nested.commit().await?;
                        txn.commit().await?;
                        item::Entity::find().count(&db).await
                    };
                    if let Ok(done) = tokio::time::timeout(limit, work).await {
                        done.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    stand.quiet().await;
    for _ in 0..20 {
        let txn = stand.db.begin().await.unwrap();
        named("d").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }
    let open = "SELECT count(*)::text FROM pg_stat_activity \
                WHERE usename = 'app' AND state LIKE 'idle in transaction%'";
    let mut left = String::new();
    for _ in 0..100 {
        left = stand.ask(0, open).await;
        if left == "0" {
            break;
        }
    }
    assert_eq!(left, "0");
    // Nested work is in the transaction's, or nothing of it is there.
    let halves = "SELECT count(*) FILTER (WHERE name = 'b') = count(*) FILTER (WHERE name = 'c') \
                  FROM items";
    assert_eq!(stand.ask(0, &format!("SELECT ({halves})::text")).await, "true");
    eventually("the connections are few", || {
        stand.cluster.topology().writer().unwrap().stats().connections() <= 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_statement_was_dropped_says_so() {
    let stand = Stand::new(1).await;
    let txn = stand.db.begin().await.unwrap();
    let slow = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT pg_sleep(5)");
    let asked = sea_orm::ConnectionTrait::query_one_raw(&txn, slow);
    tokio::time::timeout(Duration::from_millis(50), asked).await.unwrap_err();
    let error = named("a").insert(&txn).await.unwrap_err();
    assert_eq!(aurora_seaorm::outcome(&error), aurora_seaorm::Outcome::NotApplied, "{error}");
    txn.commit().await.unwrap_err();
    assert_eq!(item::Entity::find().count(&stand.db).await.unwrap(), 0);
}
