//! What a pool lends is bounded, and comes back clean.

use std::sync::Arc;

use aurora_core::Outcome;

use aurora_tests::servers::Servers;

use super::door::{Access, Guest, Kind, Open};
use super::scene::{Scene, eventually, inside};

/// The pool of a cluster that is a writer only.
pub(crate) async fn bounded_and_clean<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 1, true, "failover_timeout=2s").await;
    let [read] = scene.ran(async { drop(scene.guest().await.names().await.unwrap()) }).await;
    assert_eq!(read, 1, "the writer reads");
    assert!(scene.cluster.status().reads_without_reader > 0);
    exhausted(&scene).await;
    state_stays_with_its_session(&scene).await;
    connections_are_used_again(&scene).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// Two at a time: the third waits until it is its turn, or is told that it never was.
async fn exhausted<K: Servers>(scene: &Scene<K>) {
    let door = scene.open(2).await;
    let before = scene.connections();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut session = door.session().await.unwrap();
        // So that SeaORM's sessions hold a connection as others do.
        session.execute("BEGIN").await.unwrap();
        held.push(session);
    }
    let add = |name: &'static str| {
        let door = Arc::clone(&door);
        tokio::spawn(async move { door.session().await?.add(name).await })
    };
    let failure = add("never").await.unwrap().unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (Kind::NotSent, Outcome::NotApplied), "{failure}");
    assert!(scene.connections() <= before + 2, "{} connections", scene.connections());
    let waiting = add("in its turn");
    held.pop().unwrap().execute("ROLLBACK").await.unwrap();
    let added = waiting.await.unwrap();
    assert!(added.is_ok(), "{added:?}");
    drop(held);
    assert_eq!((scene.stored("never"), scene.stored("in its turn")), (0, 1));
    scene.assert_clean().await;
    let several = (0..20).map(|_| add("one of many"));
    let several = futures_util::future::join_all(several).await;
    assert!(several.iter().all(|added| matches!(added, Ok(Ok(_)))), "{several:?}");
    assert!(scene.connections() <= before + 2, "{} connections", scene.connections());
    drop(door);
    eventually("its connections end with it", async || scene.connections() <= before).await;
}

/// What a session leaves behind ends with it.
async fn state_stays_with_its_session<K: Servers>(scene: &Scene<K>) {
    for leak in K::TEXTS.leaks {
        let pid = leave(scene.guest().await, leak, K::TEXTS.session).await;
        let alive = format!("{}{pid}", K::TEXTS.alive);
        eventually("its connection is closed", async || scene.ask(0, &alive) == 0).await;
    }
    let mut session = scene.guest().await;
    let (setting, left) = K::TEXTS.setting;
    assert_ne!(session.text(setting).await.unwrap(), left);
    session.execute("SELECT * FROM scratch").await.unwrap_err();
    assert_eq!(session.number(K::TEXTS.lock).await.unwrap(), 1);
    assert_eq!(scene.stored("leaked"), 0);
}

/// Leaves something in the session, which stays where it is; the server's number of it.
async fn leave(mut session: Guest, leak: &str, number: &str) -> i64 {
    session.execute(leak).await.unwrap();
    let pid = session.number(number).await.unwrap();
    assert_eq!(session.number(number).await.unwrap(), pid, "{leak}");
    pid
}

async fn connections_are_used_again<K: Servers>(scene: &Scene<K>) {
    scene.assert_usable().await;
    scene.assert_clean().await;
    let (open, opened) = (scene.connections(), scene.connects());
    for round in 0..200 {
        let mut session = scene.guest().await;
        match round % 4 {
            0 => assert!(session.names().await.is_ok()),
            1 => assert!(session.execute("SELECT no_such_column").await.is_err()),
            2 => {
                let work = inside(|t| Box::pin(async { t.names().await.map(drop) }));
                session.transaction(Access::Write, work).await.unwrap();
            }
            _ => {}
        }
    }
    // mobc checks in behind the caller's back, so the next sessions may begin before: on a busy
    // machine several.
    let more = scene.connects() - opened;
    assert!(more <= 4, "{more} new connections in 200 sessions");
    assert!(scene.connections() <= open + more, "{} connections", scene.connections());
    let tasks = (0..40).map(|_| {
        let door = Arc::clone(&scene.pool);
        tokio::spawn(async move { door.session().await.unwrap().names().await.unwrap().len() })
    });
    let counts = futures_util::future::join_all(tasks).await;
    assert!(counts.into_iter().all(|count| count.unwrap() > 0));
    assert!(scene.connections() <= 8, "{} connections", scene.connections());
}
