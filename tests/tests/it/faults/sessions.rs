//! E, G, H: what a program does with its sessions, and what it loses with them.

use std::sync::Arc;

use aurora_core::Outcome;
use aurora_tests::door::{Access, Kind};
use aurora_tests::scene::{Scene, eventually, inside};
use aurora_tests::servers::Servers;
use aurora_tests::trial::{Allowed, Case};

/// E3: all sessions of a pool are held while the writer crashes: who wants another one is told in
/// time, and the failover is followed all the same.
pub(super) async fn exhausted_pool<K: Servers>(case: Case) {
    const SIZE: usize = 2;
    let mut trial = case.trial::<K>().await;
    let door = trial.open(SIZE).await;
    let mut held = Vec::new();
    for _ in 0..SIZE {
        let mut session = door.session().await.unwrap();
        // So that SeaORM's sessions hold a connection as others do.
        session.execute("BEGIN").await.unwrap();
        held.push(session);
    }
    let (refused, patience) = (Arc::clone(&door), tokio::time::Instant::now());
    let write = "UPDATE items SET name = name WHERE id = 1";
    let refused = tokio::spawn(async move { refused.session().await?.execute(write).await });
    trial.strike(0, |kit| kit.kill_and_promote(1));
    trial.await_roles(1, 1);
    match refused.await.unwrap() {
        // SeaORM bounds the connections of each instance: the new writer has places.
        Ok(()) => assert!(case.is_seaorm(), "there was a session to be had"),
        Err(failure) => {
            let said = (failure.kind, failure.outcome);
            assert_eq!(said, (Kind::NotSent, Outcome::NotApplied), "{failure}");
        }
    }
    assert!(patience.elapsed() < aurora_tests::LIMIT);
    for mut session in held {
        let lost = session.execute("SELECT count(*) FROM items").await.unwrap_err();
        assert_eq!(lost.outcome, Outcome::NotApplied, "{lost}");
    }
    door.session().await.unwrap().execute("DELETE FROM items WHERE false").await.unwrap();
    drop(door);
    trial.kit(|kit| kit.rejoin(0)).unwrap();
    trial.recovers(1, 2).await;
    trial.finish(Allowed::errors(1)).await;
}

/// G2: work panics in the middle of a transaction, also in a savepoint: nothing of it stays, and
/// the pool goes on.
pub(super) async fn panic<K: Servers>(case: Case) {
    const TIMES: usize = 10;
    let mut trial = case.trial::<K>().await;
    trial
        .strike_in_steps(0, async |trial| {
            for deep in [false, true].repeat(TIMES) {
                let door = Arc::clone(&trial.pool);
                let panics = tokio::spawn(async move {
                    let mut session = door.session().await.unwrap();
                    let work = inside(|transaction| {
                        Box::pin(async move {
                            transaction.add("panicked").await?;
                            let inner = inside(|savepoint| {
                                Box::pin(async move {
                                    savepoint.add("panicked").await?;
                                    panic!("on purpose")
                                })
                            });
                            match deep {
                                true => transaction.transaction(Access::Write, inner).await,
                                false => panic!("on purpose"),
                            }
                        })
                    });
                    session.transaction(Access::Write, work).await
                });
                assert!(panics.await.unwrap_err().is_panic());
            }
        })
        .await;
    trial.recovers(0, 2).await;
    assert_eq!(trial.stored("panicked"), 0);
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(0)).await;
}

/// H3: sessions lose their connections, and what was bound to it. Each is told so once, by a
/// statement that runs nowhere; then it goes on without.
pub(super) async fn session_state<K: Servers>(case: Case) {
    let states = K::TEXTS.states;
    let mut trial = case.trial::<K>().await;
    trial
        .strike_in_steps(0, async |trial| {
            for (what, make) in states {
                lost_once(trial, what, make).await;
            }
            prepared_transaction(trial).await;
        })
        .await;
    trial.recovers(0, 2).await;
    assert_eq!((trial.stored("half"), trial.stored("stray")), (0, 0));
    trial.assert_writer_stayed(0);
    trial.finish(Allowed::errors(states.len() + 2)).await;
}

async fn lost_once<K: Servers>(scene: &Scene<K>, what: &str, make: &str) {
    let mut session = scene.guest().await;
    session.execute(make).await.unwrap();
    for index in 0..3 {
        // Wherever it is.
        scene.terminate(index);
    }
    let lost = session.execute("INSERT INTO items (name) VALUES ('stray')").await;
    let lost = lost.expect_err(what);
    // Whether it had left is not always known; that it is not there is looked at in the end.
    assert!(matches!(lost.kind, Kind::Lost | Kind::NotSent), "{what}: {lost}");
    assert_ne!(lost.outcome, Outcome::Applied, "{what}: {lost}");
    // Who had begun a transaction ends it.
    if make.starts_with("BEGIN") {
        session.execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(session.names().await.unwrap(), ["a", "b", "c"], "{what}");
    eventually("nothing is locked", async || scene.ask(0, K::TEXTS.locked) == 0).await;
}

/// A prepared transaction belongs to no session: it outlives the one that made it.
async fn prepared_transaction<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    session.execute("CREATE TABLE twice (id int)").await.unwrap();
    let [prepare, commit] = K::TEXTS.two_phase;
    session.execute(prepare).await.unwrap();
    scene.terminate(0);
    drop(session);
    eventually("it is committed by another session", async || {
        let session = scene.pool.session().await;
        session.unwrap().execute(commit).await.is_ok()
    })
    .await;
    assert_eq!(scene.ask(0, "SELECT count(*) FROM twice"), 1);
}
