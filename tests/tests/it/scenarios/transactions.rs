//! Transactions: on one connection, all or nothing, and nothing left behind.

use aurora_core::Outcome;

use aurora_tests::servers::Servers;

use super::door::{Access, Answer, Failure, Guest, Kind, Open, Session};
use super::scene::{Scene, inside};

/// What transactions promise while the servers are well.
pub(crate) async fn whole<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 3, false, "").await;
    one_connection_of_the_writer(&scene).await;
    savepoints(&scene).await;
    rolled_back(&scene).await;
    read_only(&scene).await;
    refused_at_commit(&scene).await;
    panics(&scene).await;
    scene.assert_usable().await;
    // One each; mobc checks in behind the caller's back, so the next session may begin before.
    assert!(scene.connections() <= 6, "{} connections", scene.connections());
    scene.assert_clean().await;
}

async fn one_connection_of_the_writer<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let places = scene
        .ran(async {
            let work = inside(|transaction| {
                Box::pin(async move {
                    let pid = transaction.number(K::TEXTS.session).await?;
                    transaction.add("new").await?;
                    assert!(transaction.names().await?.contains(&"new".to_owned()));
                    assert_eq!(transaction.number(K::TEXTS.session).await?, pid);
                    assert_eq!(scene.stored("new"), 0, "not committed yet");
                    Ok(())
                })
            });
            session.transaction(Access::Write, work).await.unwrap();
        })
        .await;
    assert_eq!(places, [5 + scene.pool.adds(), 0, 0]);
    assert!(session.names().await.unwrap().contains(&"new".to_owned()), "and after the commit");
}

async fn savepoints<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let outer = inside(|transaction| {
        Box::pin(async move {
            transaction.add("outer").await?;
            let inner = inside(|savepoint| {
                Box::pin(async move {
                    savepoint.add("inner").await?;
                    let innermost = inside(|savepoint| {
                        Box::pin(async move {
                            savepoint.add("innermost").await?;
                            Err(Failure::unwanted())
                        })
                    });
                    let undone = savepoint.transaction(Access::Write, innermost).await;
                    assert_eq!(undone.unwrap_err().kind, Kind::Unwanted);
                    savepoint.add("inner").await.map(drop)
                })
            });
            transaction.transaction(Access::Write, inner).await?;
            let failing = inside(|savepoint| Box::pin(savepoint.execute(K::TEXTS.failing)));
            transaction.transaction(Access::Write, failing).await.unwrap_err();
            transaction.add("outer").await.map(drop)
        })
    });
    session.transaction(Access::Write, outer).await.unwrap();
    let stored = ["outer", "inner", "innermost"].map(|name| scene.stored(name));
    assert_eq!(stored, [2, 2, 0]);
}

async fn rolled_back<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let unwanted = inside(|transaction| {
        Box::pin(async move {
            transaction.add("gone").await?;
            Err(Failure::unwanted())
        })
    });
    let undone = session.transaction(Access::Write, unwanted).await.unwrap_err();
    assert_eq!((undone.kind, undone.outcome), (Kind::Unwanted, Outcome::NotApplied));
    // In PostgreSQL a statement that failed dooms the transaction around it, whoever ignores its error.
    let doomed = inside(|transaction| {
        Box::pin(async move {
            transaction.add("gone").await?;
            transaction.execute(K::TEXTS.failing).await.unwrap_err();
            Ok(())
        })
    });
    let result = session.transaction(Access::Write, doomed).await;
    if K::TEXTS.failure_dooms {
        // The server's answer to its COMMIT, a ROLLBACK, is no success.
        let failure = result.unwrap_err();
        assert_eq!(failure.outcome, Outcome::NotApplied, "{failure}");
    } else {
        result.unwrap();
    }
    session.add("here").await.unwrap();
    let gone = i64::from(!K::TEXTS.failure_dooms);
    assert_eq!((scene.stored("gone"), scene.stored("here")), (gone, 1));
}

async fn read_only<K: Servers>(scene: &Scene<K>) {
    let mut session = scene.guest().await;
    let read = inside(|transaction| {
        Box::pin(async move {
            let pid = transaction.number(K::TEXTS.session).await?;
            assert!(!transaction.names().await?.is_empty());
            assert_eq!(transaction.number(K::TEXTS.session).await?, pid);
            Ok(())
        })
    });
    let places =
        scene.ran::<3>(async { session.transaction(Access::ReadOnly, read).await.unwrap() }).await;
    assert!(places[0] == 0 && places.contains(&5), "all of it on one reader: {places:?}");
    let write = inside(|transaction| Box::pin(add(transaction, "refused")));
    let refused = session.transaction(Access::ReadOnly, write).await.unwrap_err();
    assert_eq!((refused.kind, refused.outcome), (Kind::ReadOnly, Outcome::NotApplied), "{refused}");
    let read = inside(|transaction| Box::pin(async move { transaction.names().await.map(drop) }));
    let places = scene
        .ran(async {
            session.transaction(Access::SerializableReadOnly, read).await.unwrap();
        })
        .await;
    assert_eq!(places, [3, 0, 0], "readers cannot run serializable transactions");
    session.add("allowed").await.unwrap();
    assert_eq!((scene.stored("refused"), scene.stored("allowed")), (0, 1));
}

async fn add(session: &mut dyn Session, name: &str) -> Answer<()> {
    session.add(name).await.map(drop)
}

async fn refused_at_commit<K: Servers>(scene: &Scene<K>) {
    scene.prepare(K::TEXTS.pairs);
    let mut session = scene.guest().await;
    let twice = inside(|transaction| {
        Box::pin(async move {
            transaction.add("never").await?;
            transaction.execute("INSERT INTO pairs VALUES (1)").await
        })
    });
    let failure = session.transaction(Access::Write, twice).await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (Kind::Unique, Outcome::NotApplied), "{failure}");
    let once = inside(|transaction| Box::pin(transaction.execute("INSERT INTO pairs VALUES (2)")));
    session.transaction(Access::Write, once).await.unwrap();
    assert_eq!(scene.stored("never"), 0);
    assert_eq!(scene.ask(0, "SELECT count(*) FROM pairs"), 2);
}

/// A panic in a transaction, and one in a session that is in the middle of a transaction as text.
async fn panics<K: Servers>(scene: &Scene<K>) {
    let in_transaction = async |mut session: Guest| {
        let work = inside(|transaction| {
            Box::pin(async move {
                transaction.execute("UPDATE items SET name = 'panicked'").await?;
                panic!("on purpose")
            })
        });
        let _ = session.transaction(Access::Write, work).await;
    };
    let session = scene.guest().await;
    assert!(tokio::spawn(in_transaction(session)).await.unwrap_err().is_panic());
    let mut session = scene.guest().await;
    let panicked = tokio::spawn(async move {
        session.execute("BEGIN").await.unwrap();
        session.execute("UPDATE items SET name = 'panicked'").await.unwrap();
        panic!("on purpose")
    });
    assert!(panicked.await.unwrap_err().is_panic());
    scene.assert_clean().await;
    assert_eq!(scene.stored("panicked"), 0);
}
