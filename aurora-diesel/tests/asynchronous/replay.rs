//! Replayable transactions: applied once, or an error that is true.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use aurora_diesel::asynchronous::AuroraConnection;
use aurora_diesel::{MarkerTable, Outcome, Resolve, RunOptions, outcome};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncConnection as _, RunQueryDsl};
use test_kit::PgCluster;
use test_kit::chaos::{Aim, Loss, Mishap};

use crate::ledger::{LEDGER, Ledger, ledger};
use crate::stand::{ITEMS, LIMIT, Stand, add, eventually, names};

async fn stand(instances: usize, sql: &'static str) -> Stand {
    let servers = PgCluster::builder().instances(instances).synchronous(true).behind_proxies();
    let stand = Stand::of(servers, "", sql).await;
    stand.cluster().create_marker_table(&MarkerTable::default()).await.unwrap();
    stand
}

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

fn modes() -> [RunOptions; 3] {
    [marked(), RunOptions::new(), RunOptions::new().resolve(Resolve::No)]
}

async fn run(
    session: &mut AuroraConnection,
    options: &RunOptions,
    name: &str,
) -> (QueryResult<i32>, u32) {
    let runs = AtomicU32::new(0);
    let done = session.run_transaction_with(options, async |session| {
        runs.fetch_add(1, Relaxed);
        add(session, name).await
    });
    (done.await, AtomicU32::load(&runs, Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_commits_are_resolved_and_run_again_only_if_they_were_not_applied() {
    let stand = stand(2, ITEMS).await;
    let session = &mut stand.session();
    let mut expected = Vec::new();
    for (mode, options) in modes().iter().enumerate() {
        for (mishap, runs_if_resolved, there) in [
            (Mishap::LoseAnswer(Loss::Reset), 1, true),
            (Mishap::LoseRequest(Loss::Reset), 2, false),
        ] {
            let name = format!("{mode} {mishap:?}");
            let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
            let (done, runs) = run(session, options, &name).await;
            assert!(armed.has_happened());
            if options.resolving() == &Resolve::No {
                let error = done.unwrap_err();
                assert_eq!((outcome(&error), runs), (Outcome::Unknown, 1), "{error}");
            } else {
                assert_eq!((done.is_ok(), runs), (true, runs_if_resolved), "{name}: {done:?}");
            }
            if there || options.resolving() != &Resolve::No {
                expected.push(name);
            }
        }
    }
    assert_eq!(names(session).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_tells_across_a_failover() {
    for (mishap, expected) in
        [(Mishap::LoseAnswer(Loss::Silence), 1), (Mishap::LoseRequest(Loss::Silence), 2)]
    {
        let stand = stand(2, ITEMS).await;
        let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let mut session = stand.session();
        // The future moves between threads.
        let running = tokio::spawn(async move { run(&mut session, &marked(), "one").await });
        assert!(stand.kit(|_| armed.wait(LIMIT)));
        if expected == 1 {
            let there = "SELECT count(*) FROM items";
            eventually("it is applied", async || stand.ask(0, there) == 1).await;
        }
        stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
        let (done, runs) = running.await.unwrap();
        assert_eq!((done.is_ok(), runs), (true, expected), "{done:?}");
        assert_eq!(names(&mut stand.session()).await, ["one"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_killed_before_its_commit_is_run_again_and_applied_once() {
    for options in modes() {
        let stand = stand(2, ITEMS).await;
        let session = &mut stand.session();
        let runs = AtomicU32::new(0);
        let done: QueryResult<i32> = session
            .run_transaction_with(&options, async |session| {
                add(session, "one").await?;
                if runs.fetch_add(1, Relaxed) == 0 {
                    stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
                }
                session.transaction(async |session| add(session, "two").await).await
            })
            .await;
        assert!(done.is_ok() && AtomicU32::load(&runs, Relaxed) == 2, "{done:?} {runs:?}");
        assert_eq!(names(session).await, ["one", "two"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_closures_own_is_not_run_again() {
    let stand = stand(2, ITEMS).await;
    let session = &mut stand.session();
    for options in modes() {
        let runs = AtomicU32::new(0);
        let refused: QueryResult<()> = session
            .run_transaction_with(&options, async |session| {
                runs.fetch_add(1, Relaxed);
                add(session, "poor").await?;
                Err(Error::NotFound)
            })
            .await;
        assert_eq!((refused, AtomicU32::load(&runs, Relaxed)), (Err(Error::NotFound), 1));
        let hidden: QueryResult<()> = session
            .run_transaction_with(&options, async |session| {
                runs.fetch_add(1, Relaxed);
                add(session, "hidden").await?;
                let _ = diesel::sql_query("SELECT 1 / 0").execute(session).await;
                Ok(())
            })
            .await;
        let error = hidden.expect_err("the server would roll back and say nothing");
        assert_eq!(
            (outcome(&error), AtomicU32::load(&runs, Relaxed)),
            (Outcome::NotApplied, 2),
            "{options:?}: {error}"
        );
        let nested =
            session.transaction(async |session| Ok(run(session, &options, "in").await.0)).await;
        assert_eq!(nested, QueryResult::Ok(Err(Error::AlreadyInTransaction)));
        add(session, "next").await.unwrap();
    }
    assert_eq!(names(session).await, ["next"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_run_again_and_a_dropped_future_rolls_back() {
    let stand = stand(2, ITEMS).await;
    let session = &mut stand.session();
    add(session, "counter").await.unwrap();
    let runs = AtomicU32::new(0);
    let done: QueryResult<usize> = session
        .run_transaction_with(&marked().repeatable_read(), async |session| {
            names(session).await;
            if runs.fetch_add(1, Relaxed) == 0 {
                add(&mut stand.session(), "other").await?;
                let other = diesel::sql_query("UPDATE items SET name = 'taken' WHERE id = 1");
                other.execute(&mut stand.session()).await?;
            }
            let update = diesel::sql_query("UPDATE items SET name = 'mine' WHERE id = 1");
            update.execute(session).await
        })
        .await;
    assert_eq!((done, AtomicU32::load(&runs, Relaxed)), (Ok(1), 2));
    let endless = session.run_transaction(async |session| {
        add(session, "dropped").await?;
        std::future::pending::<QueryResult<()>>().await
    });
    let limit = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(limit, endless).await.is_err());
    add(session, "last").await.unwrap();
    let mut names = names(session).await;
    names.sort();
    assert_eq!(names, ["last", "mine", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_markers_every_transaction_is_applied_once_and_nothing_stays_unknown() {
    let stand = stand(3, LEDGER).await;
    let (ledger, is_over) = (&Ledger::default(), &AtomicBool::new(false));
    let write = async || {
        let (session, options) = (&mut stand.session(), marked());
        while !is_over.load(Relaxed) {
            let id = ledger.take_id();
            let done = session.run_transaction_with(&options, async |session| {
                let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
                written.execute(session).await.map(|_| ())
            });
            ledger.note(id, done.await);
        }
    };
    let goes_on = async || {
        let goal = ledger.acknowledged() + 50;
        eventually("transactions go on", async || ledger.acknowledged() > goal).await;
    };
    let hurt = async {
        for to in [1, 2] {
            for mishap in [Mishap::LoseAnswer(Loss::Reset), Mishap::LoseRequest(Loss::Reset)] {
                goes_on().await;
                let armed = stand.kit(|kit| kit.proxy(kit.writer()).arm(mishap, Aim::Commit));
                eventually("a COMMIT was lost", async || armed.has_happened()).await;
            }
            goes_on().await;
            if to == 1 {
                stand.kit(|kit| kit.kill_and_promote(to)).unwrap();
                goes_on().await;
                stand.kit(|kit| kit.rejoin(0)).unwrap();
            } else {
                stand.kit(|kit| kit.switchover(to)).unwrap();
            }
            goes_on().await;
        }
        is_over.store(true, Relaxed);
    };
    futures_util::join!(write(), write(), write(), write(), hurt);
    ledger.verify(&stand);
    assert_eq!(ledger.errors(), Vec::<String>::new());
}
