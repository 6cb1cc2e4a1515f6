//! Futures that are dropped at every point at which they can be.

use std::sync::Arc;

use aurora_core::Outcome;
use aurora_tests::ledger::{LEDGER, Ledger};
use aurora_tests::servers::Servers;
use test_kit::polled;
use tokio::task::block_in_place;

use super::door::{Access, Answer, Door, Open, Session};
use super::load::note;
use super::scene::{Scene, eventually, inside};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Insert,
    Transaction,
    Read,
}

const KINDS: [Kind; 3] = [Kind::Insert, Kind::Transaction, Kind::Read];

/// One operation, from the check-out to the check-in.
async fn operate(door: &dyn Door, kind: Kind, id: i64) -> Answer<()> {
    let mut session = door.session().await?;
    let insert = format!("INSERT INTO ledger VALUES ({id})");
    match kind {
        Kind::Insert => session.execute(&insert).await,
        Kind::Read => session.names().await.map(drop),
        Kind::Transaction => {
            let whole = inside(|transaction| {
                Box::pin(async move {
                    let inner = inside(|savepoint| {
                        Box::pin(async move { savepoint.execute(&insert).await })
                    });
                    transaction.transaction(Access::Write, inner).await?;
                    transaction.names().await.map(drop)
                })
            });
            session.transaction(Access::Write, whole).await
        }
    }
}

/// One operation that is dropped after so many polls; whether it came to its end.
async fn one(door: &dyn Door, ledger: &Ledger, kind: Kind, polls: usize) -> bool {
    let id = ledger.take_id();
    let result = polled(polls, operate(door, kind, id)).await;
    let is_done = result.is_some();
    match (kind, result) {
        (Kind::Read, Some(result)) => result.unwrap(),
        (Kind::Read, None) => {}
        (_, Some(result)) => note(ledger, id, 0, result),
        (_, None) => {
            ledger.note_outcome(id, 0, Some((Outcome::Unknown, "dropped".to_owned())));
        }
    }
    is_done
}

/// Every kind of operation, dropped after the first poll, the second, … until it ends in spite of
/// that: with connections that are there, and with those it has to open; then one that is dropped
/// in its COMMIT.
pub(crate) async fn anywhere<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, true, "").await;
    scene.prepare(LEDGER);
    let door = scene.open(2).await;
    let ledger = Ledger::default();
    for (kind, is_warm) in KINDS.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
        let mut polls = 0;
        while !one(&*door, &ledger, kind, polls).await {
            // A login alone can be a thousand polls, of which some will do.
            polls += 1 + if is_warm { 0 } else { polls / 4 };
            if is_warm {
                // Whoever comes next finds a connection that is clean.
                whole(&*door, &ledger).await;
            }
        }
        whole(&*door, &ledger).await;
    }
    in_the_commit(&scene, &*door).await;
    let errors = ledger.errors();
    assert!(errors.iter().all(|(.., text)| text == "dropped"), "{errors:#?}");
    // How many polls an operation takes is a matter of the machine's haste.
    assert!(!errors.is_empty(), "nothing was dropped");
    block_in_place(|| ledger.verify(&scene.kit));
    scene.assert_clean().await;
    assert!(scene.connections() <= 4, "{} connections", scene.connections());
    scene.assert_usable().await;
}

/// One operation of every kind, which nobody drops.
async fn whole(door: &dyn Door, ledger: &Ledger) {
    for kind in KINDS {
        assert!(one(door, ledger, kind, usize::MAX).await);
    }
}

async fn in_the_commit<K: Servers>(scene: &Scene<K>, door: &dyn Door) {
    scene.prepare(K::TEXTS.slow_table);
    let mut session = door.session().await.unwrap();
    let (written, is_written) = tokio::sync::oneshot::channel();
    let (go, may_go) = tokio::sync::oneshot::channel::<()>();
    let work = inside(|transaction| {
        Box::pin(async move {
            transaction.execute("INSERT INTO slow VALUES (1)").await?;
            written.send(()).unwrap();
            may_go.await.unwrap();
            Ok(())
        })
    });
    let under_way = K::TEXTS.committing;
    let mut gate = None;
    tokio::select! {
        ended = session.transaction(Access::Write, work) => panic!("it was to be dropped: {ended:?}"),
        () = async {
            is_written.await.unwrap();
            gate = Some(scene.kit(|kit| kit.block_commits()));
            go.send(()).unwrap();
            eventually("the commit is under way", async || scene.ask(0, under_way) == 1).await;
        } => {}
    }
    drop(session);
    block_in_place(|| drop(gate));
    scene.assert_clean().await;
    assert!(scene.ask(0, "SELECT count(*) FROM slow") <= 1);
}

/// The transaction around a statement that was dropped cannot be committed, and a session goes on
/// after a transaction that was.
pub(crate) async fn in_a_transaction<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, false, "").await;
    let mut session = scene.guest().await;
    let around = inside(|transaction| {
        Box::pin(async move {
            transaction.add("gone").await?;
            let slow = transaction.execute(K::TEXTS.sleep);
            assert!(polled(1, slow).await.is_none());
            let failure = transaction.add("stray").await.unwrap_err();
            assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
            Ok(())
        })
    });
    let failure = session.transaction(Access::Write, around).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
    for polls in 0..30 {
        let whole = inside(|transaction| {
            Box::pin(async move {
                transaction.add("gone").await?;
                tokio::task::yield_now().await;
                transaction.rename(1, "gone").await?;
                loop {
                    tokio::task::yield_now().await;
                }
            })
        });
        let dropped = polled(polls, session.transaction(Access::Write, whole)).await;
        assert!(dropped.is_none());
        session.add("kept").await.unwrap();
        let kept = inside(|transaction| Box::pin(keep(transaction)));
        session.transaction(Access::Write, kept).await.unwrap();
    }
    drop(session);
    scene.assert_clean().await;
    let stored = ["gone", "stray", "kept"].map(|name| scene.stored(name));
    assert_eq!(stored, [0, 0, 60]);
}

async fn keep(transaction: &mut dyn Session) -> Answer<()> {
    transaction.add("kept").await.map(drop)
}

/// Tasks that drop most of what they begin, while the writer is killed.
pub(crate) async fn in_a_failover<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, true, "").await;
    scene.prepare(LEDGER);
    let (door, ledger) = (scene.open(4).await, Arc::new(Ledger::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (door, ledger) = (Arc::clone(&door), Arc::clone(&ledger));
        tasks.spawn(async move {
            for round in task.. {
                if ledger.is_stopped() {
                    break;
                }
                // Some are not dropped: a login alone can be a thousand polls.
                let polls = if round % 4 == 0 { usize::MAX } else { 1 + (round * 7) % 60 };
                one(&*door, &ledger, KINDS[round % 3], polls).await;
            }
        });
    }
    eventually("writes get through", async || ledger.acknowledged() > 30).await;
    scene.kit(|kit| kit.kill_and_promote(1)).unwrap();
    let before = ledger.acknowledged();
    eventually("writes get through again", async || ledger.acknowledged() > before + 30).await;
    ledger.stop();
    tasks.join_all().await;
    whole(&*door, &ledger).await;
    block_in_place(|| ledger.verify(&scene.kit));
    scene.assert_clean().await;
}
