//! Replayable transactions: applied once, or an error that is true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use aurora_seaorm::{
    AuroraConnection, MarkerTable, Outcome, Resolve, RunOptions, instance, outcome,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, TransactionError,
};
use test_kit::PgCluster;
use test_kit::chaos::{Aim, Loss, Mishap};

use crate::entities::{item, named};
use crate::stand::{LIMIT, Stand, blocking, eventually};

async fn stand(instances: usize) -> Stand {
    let servers = PgCluster::builder().instances(instances).synchronous(true).behind_proxies();
    let stand = Stand::with(servers, "").await;
    stand.cluster.create_marker_table(&MarkerTable::default()).await.unwrap();
    stand
}

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

fn modes() -> [RunOptions; 3] {
    [marked(), RunOptions::new(), RunOptions::new().resolve(Resolve::No)]
}

/// The items of that name on the writer.
async fn stored(db: &AuroraConnection, name: &str) -> u64 {
    let named = item::Entity::find().filter(item::Column::Name.eq(name));
    named.count(&db.on_writer()).await.unwrap()
}

async fn run(
    db: &AuroraConnection,
    options: &RunOptions,
    name: &str,
) -> (Result<(), TransactionError<DbErr>>, u32) {
    let runs = AtomicU32::new(0);
    let done = db.run_transaction_with(options, |txn| {
        runs.fetch_add(1, Ordering::Relaxed);
        let item = named(name);
        Box::pin(async move { item.insert(txn).await.map(drop) })
    });
    let done = done.await;
    (done, runs.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_commits_are_resolved_and_run_again_only_if_they_were_not_applied() {
    let stand = stand(2).await;
    for (mode, options) in modes().iter().enumerate() {
        for (mishap, runs_if_resolved, there) in
            [(Mishap::LoseAnswer(Loss::Reset), 1, 1), (Mishap::LoseRequest(Loss::Reset), 2, 0)]
        {
            let name = format!("{mode} {mishap:?}");
            let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
            let (done, runs) = run(&stand.db, options, &name).await;
            assert!(armed.has_happened());
            if options.resolving() == &Resolve::No {
                let error = done.unwrap_err();
                assert_eq!((outcome(&error), runs), (Outcome::Unknown, 1), "{error}");
                assert_eq!(instance(&error), Some(&stand.id(0)));
                assert_eq!(stored(&stand.db, &name).await, there);
            } else {
                assert_eq!((done.is_ok(), runs), (true, runs_if_resolved), "{name}: {done:?}");
                assert_eq!(stored(&stand.db, &name).await, 1);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_tells_across_a_failover() {
    for (mishap, expected) in
        [(Mishap::LoseAnswer(Loss::Silence), 1), (Mishap::LoseRequest(Loss::Silence), 2)]
    {
        let stand = stand(2).await;
        let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let db = stand.db.clone();
        // The future moves between threads.
        let running = tokio::spawn(async move { run(&db, &marked(), "one").await });
        assert!(blocking(move || armed.wait(LIMIT)).await);
        if expected == 1 {
            let there = "SELECT count(*)::text FROM items";
            let end = std::time::Instant::now() + LIMIT;
            while stand.ask(0, there).await != "1" {
                assert!(std::time::Instant::now() < end, "it is not applied");
            }
        }
        stand.verb(|kit| kit.kill_and_promote(1)).await;
        let (done, runs) = running.await.unwrap();
        assert_eq!((done.is_ok(), runs), (true, expected), "{done:?}");
        assert_eq!(stored(&stand.db, "one").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_killed_before_its_commit_is_run_again_and_applied_once() {
    for options in modes() {
        let stand = stand(2).await;
        let (runs, kit) = (AtomicU32::new(0), &stand.kit);
        let done = stand.db.run_transaction_with(&options, |txn| {
            let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
            let kit = Arc::clone(kit);
            Box::pin(async move {
                named("one").insert(txn).await?;
                if first {
                    blocking(move || kit.kill_and_promote(1).unwrap()).await;
                }
                named("two").insert(txn).await.map(drop)
            })
        });
        let done: Result<(), TransactionError<DbErr>> = done.await;
        assert_eq!((done.is_ok(), runs.load(Ordering::Relaxed)), (true, 2), "{done:?}");
        assert_eq!((stored(&stand.db, "one").await, stored(&stand.db, "two").await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_the_closures_own_is_not_run_again() {
    let stand = stand(2).await;
    let session = stand.db.session();
    // Tied to its connection, so that attempts follow each other there.
    session.execute_unprepared("SET work_mem = '1MB'").await.unwrap();
    for db in [&stand.db, &session] {
        for options in modes() {
            let runs = AtomicU32::new(0);
            let refused = db.run_transaction_with(&options, |txn| {
                runs.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move {
                    named("poor").insert(txn).await?;
                    Err::<(), _>(DbErr::Custom("mine".to_owned()))
                })
            });
            let refused = refused.await.unwrap_err();
            assert!(matches!(&refused, TransactionError::Transaction(DbErr::Custom(_))));
            let hidden = db.run_transaction_with(&options, |txn| {
                runs.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move {
                    named("hidden").insert(txn).await?;
                    let _ = txn.execute_unprepared("SELECT 1 / 0").await;
                    Ok::<_, DbErr>(())
                })
            });
            let error = hidden.await.expect_err("the server would roll back and say nothing");
            assert_eq!(outcome(&error), Outcome::NotApplied, "{options:?}: {error}");
            assert_eq!(runs.load(Ordering::Relaxed), 2);
            assert!(run(db, &options, "next").await.0.is_ok());
        }
    }
    assert_eq!(stored(&stand.db, "poor").await + stored(&stand.db, "hidden").await, 0);
    assert_eq!(stored(&stand.db, "next").await, 6);
    session.execute_unprepared("BEGIN").await.unwrap();
    let (nested, runs) = run(&session, &marked(), "in").await;
    assert_eq!((outcome(&nested.unwrap_err()), runs), (Outcome::NotApplied, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_are_run_again_also_on_a_tied_connection() {
    let stand = stand(2).await;
    let session = stand.db.session();
    session.execute_unprepared("SET work_mem = '1MB'").await.unwrap();
    for code in ["40001", "40P01"] {
        let runs = AtomicU32::new(0);
        let options = marked();
        let done = session.run_transaction_with(&options, |txn| {
            let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
            Box::pin(async move {
                named(code).insert(txn).await?;
                let raise = format!("DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$");
                if first {
                    txn.execute_unprepared(&raise).await?;
                }
                Ok::<_, DbErr>(())
            })
        });
        assert!(done.await.is_ok());
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert_eq!(stored(&stand.db, code).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_markers_every_transaction_is_applied_once_and_nothing_stays_unknown() {
    let stand = stand(3).await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let done = Arc::new(AtomicI64::new(0));
    let mut workers = Vec::new();
    for _ in 0..4 {
        let (db, stop, next) = (stand.db.clone(), Arc::clone(&stop), Arc::clone(&next));
        let done = Arc::clone(&done);
        workers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let name = next.fetch_add(1, Ordering::Relaxed).to_string();
                let (result, _) = run(&db, &marked(), &name).await;
                result.unwrap_or_else(|error| panic!("{name}: {error}"));
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let goes_on = async || {
        let goal = done.load(Ordering::Relaxed) + 50;
        eventually("transactions go on", || done.load(Ordering::Relaxed) > goal).await;
    };
    for to in [1, 2] {
        for mishap in [Mishap::LoseAnswer(Loss::Reset), Mishap::LoseRequest(Loss::Reset)] {
            goes_on().await;
            let armed = stand.kit.proxy(stand.kit.writer()).arm(mishap, Aim::Commit);
            eventually("a COMMIT was lost", || armed.has_happened()).await;
        }
        goes_on().await;
        if to == 1 {
            stand.verb(|kit| kit.kill_and_promote(1)).await;
            goes_on().await;
            stand.verb(|kit| kit.rejoin(0)).await;
        } else {
            stand.verb(|kit| kit.switchover(2)).await;
        }
        goes_on().await;
    }
    stop.store(true, Ordering::Release);
    for worker in workers {
        worker.await.unwrap();
    }
    let writer = stand.kit.writer();
    let all = "SELECT count(*) || ' ' || count(DISTINCT name) FROM items";
    let expected = next.load(Ordering::Relaxed);
    assert_eq!(stand.ask(writer, all).await, format!("{expected} {expected}"));
}
