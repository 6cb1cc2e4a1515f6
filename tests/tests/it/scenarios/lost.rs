//! Transactions that lose their connection.

use std::sync::Arc;

use aurora_core::{Outcome, Retry};

use super::door::{Access, Guest, Kind, Open};
use super::scene::{Scene, eventually, inside};

/// A transaction whose connection is lost leaves nothing half done, and its errors say what it
/// came to.
pub(crate) async fn transactions(open: Open) {
    let scene = Scene::safe(open, 2, "").await;
    terminated_in_the_middle(&scene).await;
    terminated_in_a_read_only_one(&scene).await;
    terminated_before_the_commit(&scene).await;
    cut_off_in_the_commit(&scene).await;
    scene.assert_usable().await;
    killed_before_the_commit(&scene).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

async fn terminated_in_the_middle(scene: &Scene) {
    let mut session = scene.guest().await;
    let work = inside(|transaction| {
        Box::pin(async move {
            transaction.add("half").await?;
            assert!(scene.terminate(0) > 0);
            let lost = transaction.add("half").await.unwrap_err();
            assert_eq!((lost.kind, lost.outcome), (Kind::Lost, Outcome::NotApplied), "{lost}");
            assert_eq!(lost.instance.as_deref(), Some(scene.kit.name(0).as_str()));
            // Whoever ignores that is told again: nothing of it runs elsewhere.
            let after = transaction.add("half").await.unwrap_err();
            assert_eq!(after.outcome, Outcome::NotApplied, "{after}");
            assert!(after.text.contains("transaction was lost"), "{after}");
            transaction.names().await.unwrap_err();
            Ok(())
        })
    });
    let failure = session.transaction(Access::Write, work).await;
    let failure = failure.expect_err("it must not look committed");
    assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
    // The session goes on.
    session.add("whole").await.unwrap();
    assert_eq!((scene.stored("half"), scene.stored("whole")), (0, 1));
}

async fn terminated_in_a_read_only_one(scene: &Scene) {
    let mut session = scene.guest().await;
    for lose in [true, false] {
        let work = inside(|transaction| {
            Box::pin(async move {
                transaction.execute("SELECT 1").await?;
                if lose {
                    assert!(scene.terminate(1) > 0);
                }
                transaction.names().await.map(drop)
            })
        });
        let result = session.transaction(Access::ReadOnly, work).await;
        let outcome = result.map_err(|failure| failure.outcome);
        assert_eq!(outcome, if lose { Err(Outcome::NotApplied) } else { Ok(()) });
    }
}

/// Nobody can tell whether the COMMIT was sent, but it may only be called unknown or not applied.
async fn terminated_before_the_commit(scene: &Scene) {
    let mut session = scene.guest().await;
    let work = inside(|transaction| {
        Box::pin(async move {
            transaction.add("uncommitted").await?;
            assert!(scene.terminate(0) > 0);
            Ok(())
        })
    });
    let failure = session.transaction(Access::Write, work).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Lost, "{failure}");
    assert_ne!(failure.outcome, Outcome::Applied, "{failure}");
    let is_unknown = failure.outcome == Outcome::Unknown;
    assert_eq!(failure.retry == Retry::IfIdempotent, is_unknown, "{failure}");
    assert_eq!(scene.stored("uncommitted"), 0);
    session.add("after the loss").await.unwrap();
}

async fn cut_off_in_the_commit(scene: &Scene) {
    scene.prepare(
        "CREATE TABLE slow (id int); \
         CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON slow \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    let door = Arc::clone(&scene.pool);
    let committing = tokio::spawn(async move {
        let mut session: Guest = door.session().await.unwrap();
        let work = inside(|t| Box::pin(t.execute("INSERT INTO slow VALUES (1)")));
        let failure = session.transaction(Access::Write, work).await.unwrap_err();
        (failure, session.add("after the commit").await)
    });
    let under_way = "SELECT count(*) FROM pg_stat_activity \
                     WHERE wait_event = 'PgSleep' AND query ILIKE 'commit%'";
    eventually("the commit is under way", async || scene.ask(0, under_way) == 1).await;
    assert!(scene.terminate(0) > 0);
    let (failure, after) = committing.await.unwrap();
    assert_eq!((failure.kind, failure.outcome), (Kind::Lost, Outcome::Unknown), "{failure}");
    assert_eq!(failure.retry, Retry::IfIdempotent, "{failure}");
    assert_eq!(failure.instance.as_deref(), Some(scene.kit.name(0).as_str()));
    assert!(after.is_ok(), "{after:?}");
    assert_eq!(scene.ask(0, "SELECT count(*) FROM slow"), 0, "this time it was not applied");
}

/// Noticed in a savepoint; the same session runs all of it again without any help.
async fn killed_before_the_commit(scene: &Scene) {
    let mut session = scene.guest().await;
    for kill in [true, false] {
        let work = inside(|transaction| {
            Box::pin(async move {
                transaction.add("once").await?;
                let inner = inside(|savepoint| {
                    Box::pin(async move {
                        if kill {
                            scene.kit(|kit| kit.kill_and_promote(1)).unwrap();
                        }
                        savepoint.add("once").await.map(drop)
                    })
                });
                transaction.transaction(Access::Write, inner).await
            })
        });
        let result = session.transaction(Access::Write, work).await;
        let failed = result.err().map(|failure| (failure.outcome, failure.retry));
        let lost = (Outcome::NotApplied, Retry::AfterTopologyChange);
        assert_eq!(failed, kill.then_some(lost));
    }
    assert_eq!(scene.stored("once"), 2);
}
