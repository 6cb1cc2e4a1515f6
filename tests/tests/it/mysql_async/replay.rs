//! Replayable transactions: applied once, or an error that is true.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aurora_diesel::{MarkerTable, Resolve, RunOptions};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::stand::{ITEMS, Stand, add, items, names};

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

fn modes() -> [RunOptions; 3] {
    [marked(), RunOptions::new().repeatable_read(), RunOptions::new().resolve(Resolve::No)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_killed_before_its_commit_is_run_again_and_applied_once() {
    for options in modes() {
        let stand = Stand::new(2, ITEMS).await;
        stand.manager.cluster().create_marker_table(&MarkerTable::default()).await.unwrap();
        let session = &mut stand.session();
        let runs = AtomicU32::new(0);
        let done: QueryResult<usize> = session
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
    let stand = Stand::new(2, ITEMS).await;
    stand.manager.cluster().create_marker_table(&MarkerTable::default()).await.unwrap();
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
        // MySQL undoes the statement alone.
        let kept: QueryResult<usize> = session
            .run_transaction_with(&options, async |session| {
                let _ = diesel::sql_query("UPDATE nonsense SET a = 1").execute(session).await;
                add(session, "kept").await
            })
            .await;
        assert_eq!(kept, Ok(1));
        add(session, "next").await.unwrap();
    }
    assert_eq!(names(session).await, ["kept", "next"].repeat(3));
}

/// Two transactions lock the same rows in different orders: one is given up, and run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_run_again() {
    let stand = Stand::new(2, ITEMS).await;
    for name in ["a", "b"] {
        add(&mut stand.session(), name).await.unwrap();
    }
    let (runs, both) = (&AtomicU32::new(0), &tokio::sync::Barrier::new(2));
    let run = async |first: i32, second: i32| {
        let (session, mine) = (&mut stand.session(), AtomicU32::new(0));
        let done: QueryResult<()> = session
            .run_transaction(async |session| {
                runs.fetch_add(1, Relaxed);
                for id in [first, second] {
                    let row = diesel::update(items::table.find(id));
                    let name = items::name.eq(items::name.concat("+"));
                    row.set(name).execute(session).await?;
                    if id == first && mine.fetch_add(1, Relaxed) == 0 {
                        both.wait().await;
                    }
                }
                Ok(())
            })
            .await;
        done.unwrap();
    };
    futures_util::future::join(run(1, 2), run(2, 1)).await;
    assert_eq!(AtomicU32::load(runs, Relaxed), 3);
    assert_eq!(names(&mut stand.session()).await, ["a++", "b++"]);
}
