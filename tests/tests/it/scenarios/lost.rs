//! Transactions and reads that lose their connection.

use std::io;
use std::time::{Duration, Instant};

use aurora_core::{Outcome, Retry};

use aurora_tests::servers::{Servers, Setup};
use test_kit::chaos::{ChaosProxy, Fault};
use tokio::task::block_in_place;

use super::door::{Access, Guest, Kind, Open};
use super::scene::{Scene, eventually, inside};

/// A transaction whose connection is lost leaves nothing half done, and its errors say what it
/// came to.
pub(crate) async fn transactions<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, true, "").await;
    terminated_in_the_middle(&scene).await;
    terminated_in_a_read_only_one(&scene).await;
    terminated_before_the_commit(&scene).await;
    cut_off_in_the_commit(&scene).await;
    scene.assert_usable().await;
    killed_before_the_commit(&scene).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// The server has ended what was idle, as many do after some time: no write is sent where it arrives
/// nowhere, so that nobody has to ask what became of it.
pub(crate) async fn ended_while_idle<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, false, "").await;
    for _ in 0..5 {
        scene.guest().await.add("before").await.unwrap();
        assert!(scene.terminate(0) > 0);
        let ended = Instant::now();
        let passes = async || ended.elapsed() > Duration::from_millis(150);
        eventually("a while passes", passes).await;
        scene.guest().await.add("after").await.unwrap();
    }
    assert_eq!((scene.stored("before"), scene.stored("after")), (5, 5));
    scene.assert_clean().await;
}

/// All that was idle has ended, on all instances: there are more of them than a read that loses its
/// connection is run again, and none has been asked again yet. No read fails for that.
pub(crate) async fn idle_everywhere<K: Servers>(open: Open) {
    const INSTANCES: usize = 4;
    let setup = Setup::of(INSTANCES).behind_proxies();
    // To log in takes MySQL a dozen round trips.
    let scene = Scene::<K>::set_up(open, &setup, "connect_timeout=10s").await;
    let goes_on = async || {
        scene.guest().await.names().await.unwrap();
        // On a connection that has ended nobody can tell what becomes of a write.
        scene.guest().await.rename(1, "a").await.is_ok()
    };
    let far = Fault::Latency { delay: Duration::from_millis(50), jitter: Duration::ZERO };
    let proxies = |change: &dyn Fn(&ChaosProxy) -> io::Result<()>| {
        (0..INSTANCES).for_each(|index| change(&scene.kit.proxy(index)).unwrap());
    };
    for _ in 0..3 {
        eventually("each has a connection that is idle", async || {
            goes_on().await && (0..INSTANCES).all(|index| !scene.sessions(index).is_empty())
        })
        .await;
        proxies(&|proxy| proxy.set(far));
        for index in 0..INSTANCES {
            assert!(scene.terminate(index) > 0);
        }
        scene.guest().await.names().await.unwrap();
        proxies(&ChaosProxy::heal);
    }
    eventually("writes go on", goes_on).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

async fn terminated_in_the_middle<K: Servers>(scene: &Scene<K>) {
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

async fn terminated_in_a_read_only_one<K: Servers>(scene: &Scene<K>) {
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
async fn terminated_before_the_commit<K: Servers>(scene: &Scene<K>) {
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

async fn cut_off_in_the_commit<K: Servers>(scene: &Scene<K>) {
    scene.prepare(K::TEXTS.slow_table);
    let mut session: Guest = scene.guest().await;
    let (written, is_written) = tokio::sync::oneshot::channel();
    let (go, may_go) = tokio::sync::oneshot::channel::<()>();
    let committing = tokio::spawn(async move {
        let work = inside(|transaction| {
            Box::pin(async move {
                transaction.execute("INSERT INTO slow VALUES (1)").await?;
                written.send(()).unwrap();
                may_go.await.unwrap();
                Ok(())
            })
        });
        let failure = session.transaction(Access::Write, work).await.unwrap_err();
        (failure, session)
    });
    is_written.await.unwrap();
    let gate = scene.kit(|kit| kit.block_commits());
    go.send(()).unwrap();
    let under_way = K::TEXTS.committing;
    eventually("the commit is under way", async || scene.ask(0, under_way) == 1).await;
    assert!(scene.terminate(0) > 0);
    let (failure, mut session) = committing.await.unwrap();
    block_in_place(|| drop(gate));
    let after = session.add("after the commit").await;
    assert_eq!((failure.kind, failure.outcome), (Kind::Lost, Outcome::Unknown), "{failure}");
    assert_eq!(failure.retry, Retry::IfIdempotent, "{failure}");
    assert_eq!(failure.instance.as_deref(), Some(scene.kit.name(0).as_str()));
    assert!(after.is_ok(), "{after:?}");
    assert_eq!(scene.ask(0, "SELECT count(*) FROM slow"), 0, "this time it was not applied");
}

/// Noticed in a savepoint; the same session runs all of it again without any help.
async fn killed_before_the_commit<K: Servers>(scene: &Scene<K>) {
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
