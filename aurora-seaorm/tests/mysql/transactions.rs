//! Transactions stay where they began, and end where the server ends them.

use std::sync::atomic::{AtomicU32, Ordering};

use aurora_seaorm::{AuroraTransaction, Outcome, outcome};
use sea_orm::AccessMode::ReadOnly;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, IsolationLevel, Set, TransactionTrait};
use test_kit::MariaDbCluster;
use tokio::sync::Barrier;

use crate::both::transactions::{self, all_are_rolled_back_and_connections_kept, count};
use crate::entities::{item, named};
use crate::stand::{LIMIT, Stand, one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closures_commit_or_roll_back() {
    transactions::closures_commit_or_roll_back(&Stand::new(2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_transactions_are_savepoints() {
    let stand = Stand::new(1).await;
    let outer = stand.db.begin().await.unwrap();
    transactions::savepoints(&outer).await;
    outer.commit().await.unwrap();
    assert_eq!(count(&stand.db).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_and_modes_are_the_server_s() {
    let stand = Stand::new(2).await;
    let committed = stand.db.begin_with_config(Some(IsolationLevel::ReadCommitted), None);
    let committed = committed.await.unwrap();
    let snapshot = stand.db.begin().await.unwrap();
    assert_eq!((count(&committed).await, count(&snapshot).await), (0, 0));
    named("a").insert(&stand.db).await.unwrap();
    assert_eq!((count(&committed).await, count(&snapshot).await), (1, 0));
    committed.commit().await.unwrap();
    snapshot.commit().await.unwrap();
    // The level was that of one transaction.
    let after = stand.db.begin().await.unwrap();
    assert_eq!(count(&after).await, 1);
    named("b").insert(&stand.db).await.unwrap();
    assert_eq!(count(&after).await, 1);
    after.rollback().await.unwrap();
    let [writer, reader] = stand
        .counting::<2>(async {
            let level = Some(IsolationLevel::RepeatableRead);
            let report = stand.db.session().begin_with_config(level, Some(ReadOnly)).await.unwrap();
            count(&report).await;
            let error = named("c").insert(&report).await.unwrap_err();
            assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
            report.commit().await.unwrap();
        })
        .await;
    assert_eq!((writer, reader), (0, 4), "begun, read, refused, ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_rolled_back_and_its_connection_kept() {
    let stand = Stand::new(1).await;
    for _ in 0..5 {
        let txn = stand.db.begin().await.unwrap();
        named("a").insert(&txn).await.unwrap();
        drop(txn);
        // Waits for the locks of the one that was dropped.
        let all = "SELECT CAST(COUNT(*) AS SIGNED) FROM items FOR UPDATE";
        assert_eq!(one::<i64>(&stand.db, all).await, 0);
    }
    let open = "SELECT COUNT(*) FROM information_schema.INNODB_TRX";
    all_are_rolled_back_and_connections_kept(&stand, open).await;
}

/// Dropped before, in and after each of its statements.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_dropped_anywhere_is_whole_or_absent() {
    let stand = Stand::new(2).await;
    for polls in 0..60 {
        let db = stand.db.clone();
        let mut work = Box::pin(async move {
            let txn = db.begin().await.unwrap();
            named("first").insert(&txn).await.unwrap();
            named("second").insert(&txn).await.unwrap();
            txn.commit().await.unwrap();
        });
        for _ in 0..polls {
            let poll = futures_util::poll!(work.as_mut());
            if poll.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(work);
    }
    stand.quiet().await;
    let (first, second) = (
        stand.ask(0, "SELECT COUNT(*) FROM items WHERE name = 'first' FOR UPDATE").await,
        stand.ask(0, "SELECT COUNT(*) FROM items WHERE name = 'second' FOR UPDATE").await,
    );
    assert_eq!(first, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_fails_leaves_its_transaction_open() {
    let stand = Stand::new(1).await;
    let txn = stand.db.begin().await.unwrap();
    let id = named("a").insert(&txn).await.unwrap().id;
    let again = item::ActiveModel { id: Set(id), ..named("again") };
    again.insert(&txn).await.unwrap_err();
    named("b").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(count(&stand.db).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_ends_the_transaction_around_it() {
    let stand = Stand::new(1).await;
    let txn = stand.db.begin().await.unwrap();
    named("committed").insert(&txn).await.unwrap();
    txn.execute_unprepared("CREATE TABLE more (id INT)").await.unwrap();
    let error = named("outside").insert(&txn).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    txn.commit().await.unwrap_err();
    assert_eq!(count(&stand.db).await, 1);
}

/// Two transactions each wait for what the other has locked; returns what became of both.
async fn collide(stand: &Stand) -> Vec<(AuroraTransaction, Result<(), DbErr>)> {
    stand.seed("INSERT INTO items (id, name) VALUES (1, ''), (2, '')").await;
    let both = std::sync::Arc::new(Barrier::new(2));
    let tasks = [(1, 2), (2, 1)].map(|(first, then)| {
        let (db, both) = (stand.db.clone(), both.clone());
        tokio::spawn(async move {
            let add = |id| format!("UPDATE items SET name = CONCAT(name, 'x') WHERE id = {id}");
            let txn = db.begin().await.unwrap();
            txn.execute_unprepared(&add(first)).await.unwrap();
            both.wait().await;
            let result = txn.execute_unprepared(&add(then)).await.map(drop);
            (txn, result)
        })
    });
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_deadlock_nothing_is_committed_by_itself() {
    let stand = Stand::new(1).await;
    let mut victims = 0;
    for (txn, result) in collide(&stand).await {
        if result.is_ok() {
            txn.commit().await.unwrap();
            continue;
        }
        victims += 1;
        // The server has rolled back, and would execute this at once.
        let error = named("alone").insert(&txn).await.unwrap_err();
        assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
        assert!(error.to_string().contains("rolled the transaction back"), "{error}");
        let nested = txn.begin().await.unwrap_err();
        assert_eq!(outcome(&nested), Outcome::NotApplied, "{nested}");
        let error = txn.commit().await.unwrap_err();
        assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    }
    assert_eq!(victims, 1);
    let names = "SELECT GROUP_CONCAT(name ORDER BY id SEPARATOR '-') FROM items";
    assert_eq!(stand.ask(0, names).await, "x-x");
    // Neither was the connection lost, nor is anything left on it.
    let txn = stand.db.begin().await.unwrap();
    named("next").insert(&txn).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(count(&stand.db).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_a_lock_that_undoes_all_is_told_from_one_that_does_not() {
    for (undoes_all, setting) in [(false, "OFF"), (true, "ON")] {
        let servers = MariaDbCluster::builder()
            .setting("innodb_lock_wait_timeout", "1")
            .setting("innodb_rollback_on_timeout", setting);
        let stand = Stand::with(servers, "").await;
        stand.seed("INSERT INTO items (id, name) VALUES (1, 'a')").await;
        let update = "UPDATE items SET name = 'b' WHERE id = 1";
        let holder = stand.db.begin().await.unwrap();
        holder.execute_unprepared(update).await.unwrap();
        let waiter = stand.db.begin().await.unwrap();
        named("c").insert(&waiter).await.unwrap();
        waiter.execute_unprepared(update).await.unwrap_err();
        holder.rollback().await.unwrap();
        let goes_on = named("d").insert(&waiter).await;
        assert_eq!(goes_on.is_err(), undoes_all, "{setting}");
        assert_eq!(waiter.commit().await.is_err(), undoes_all, "{setting}");
        assert_eq!(count(&stand.db).await, if undoes_all { 1 } else { 3 }, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayable_transaction_is_run_again_after_a_deadlock_and_a_failover() {
    let stand = Stand::new(2).await;
    stand.seed("INSERT INTO items (id, name) VALUES (1, ''), (2, '')").await;
    let both = std::sync::Arc::new(Barrier::new(2));
    let runs = std::sync::Arc::new(AtomicU32::new(0));
    let tasks = [(1, 2), (2, 1)].map(|(first, then)| {
        let (db, both, runs) = (stand.db.clone(), both.clone(), runs.clone());
        tokio::spawn(async move {
            db.run_transaction::<_, (), DbErr>(move |txn| {
                let (both, runs) = (both.clone(), runs.clone());
                Box::pin(async move {
                    let add =
                        |id| format!("UPDATE items SET name = CONCAT(name, 'x') WHERE id = {id}");
                    txn.execute_unprepared(&add(first)).await?;
                    if runs.fetch_add(1, Ordering::Relaxed) < 2 {
                        both.wait().await;
                    }
                    txn.execute_unprepared(&add(then)).await.map(drop)
                })
            })
            .await
        })
    });
    for task in tasks {
        tokio::time::timeout(LIMIT, task).await.unwrap().unwrap().unwrap();
    }
    assert!(runs.load(Ordering::Relaxed) >= 3, "one was run again");
    let names = "SELECT GROUP_CONCAT(name ORDER BY id SEPARATOR '-') FROM items";
    assert_eq!(stand.ask(0, names).await, "xx-xx");
    let (kit, attempts) = (stand.kit.clone(), AtomicU32::new(0));
    let moved = stand.db.run_transaction::<_, (), DbErr>(|txn| {
        let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        let kit = kit.clone();
        Box::pin(async move {
            named("moved").insert(txn).await?;
            if first {
                crate::stand::blocking(move || kit.kill_and_promote(1).unwrap()).await;
            }
            named("moved, too").insert(txn).await.map(drop)
        })
    });
    moved.await.unwrap();
    assert!(attempts.load(Ordering::Relaxed) >= 2);
    assert_eq!(stand.ask(1, "SELECT COUNT(*) FROM items").await, "4");
}
