//! Readers that are behind.

use std::time::Duration;

use aurora_core::sql::Target;
use aurora_core::{Freshness, Outcome, Retry};
use tokio::task::block_in_place;

use aurora_tests::servers::Servers;

use super::door::{Access, Guest, Open};
use super::scene::{Scene, eventually, inside};

/// One reader, measured often.
async fn scene<K: Servers>(open: Open) -> Scene<K> {
    Scene::started(open, 2, false, "probe_interval=50ms").await
}

async fn shows(session: &mut Guest, name: &str) -> bool {
    session.names().await.unwrap().iter().any(|shown| shown == name)
}

/// A session reads what it wrote however far behind the readers are, and only from then on
/// elsewhere when they have caught up.
pub(crate) async fn own_writes<K: Servers>(open: Open) {
    let scene = scene::<K>(open).await;
    scene.kit(|kit| kit.pause_replay(1)).unwrap();
    let mut session = scene.guest().await;
    for round in 0..20 {
        let name = format!("round {round}");
        let mut session = scene.guest().await;
        session.add(&name).await.unwrap();
        assert!(shows(&mut session, &name).await, "{name}");
    }
    session.add("mine").await.unwrap();
    assert!(shows(&mut session, "mine").await);
    let work = inside(|transaction| Box::pin(async { transaction.add("both").await.map(drop) }));
    session.transaction(Access::Write, work).await.unwrap();
    assert!(shows(&mut session, "both").await);
    // The checks can fail: the reader does not have it, and others promised nothing.
    let stale = inside(|session| {
        Box::pin(async {
            assert_eq!(session.names().await?, ["a", "b", "c"]);
            Ok(())
        })
    });
    session.forced(Target::Reader, stale).await.unwrap();
    assert!(!shows(&mut scene.guest().await, "mine").await, "another session");
    promises(&scene, &mut session).await;
    scene.kit(|kit| kit.resume_replay(1)).unwrap();
    eventually("the reader serves the session", async || {
        scene.ran(async { assert!(shows(&mut session, "both").await) }).await == [0, 1]
    })
    .await;
}

/// What a session asks for instead of its own writes.
async fn promises<K: Servers>(scene: &Scene<K>, session: &mut Guest) {
    let forms = [
        (Freshness::Eventual, [0, 1]),
        (Freshness::Strong, [1, 0]),
        (Freshness::Bounded(Duration::from_millis(1)), [1, 0]),
        (Freshness::Session, [1, 0]),
    ];
    for (freshness, expected) in forms {
        session.set_freshness(freshness);
        let places = scene.ran(async { assert!(session.names().await.is_ok()) }).await;
        assert_eq!(places, expected, "{freshness:?}");
    }
}

/// A token carries what a session wrote to another one, and is refused where that may be gone.
pub(crate) async fn tokens<K: Servers>(open: Open) {
    let scene = scene::<K>(open).await;
    let mut writes = scene.guest().await;
    writes.add("early").await.unwrap();
    let early = writes.token().await.unwrap();
    // It is there, and known to be.
    eventually("a reader serves the token", async || {
        let mut reads = scene.guest().await;
        reads.require(&early).await.unwrap();
        scene.ran(async { assert!(shows(&mut reads, "early").await) }).await == [0, 1]
    })
    .await;
    scene.kit(|kit| kit.fall_behind(1)).unwrap();
    writes.add("late").await.unwrap();
    let late = writes.token().await.unwrap();
    assert!(!shows(&mut scene.guest().await, "late").await, "nothing is promised without it");
    let mut reads = scene.guest().await;
    reads.require(&late).await.unwrap();
    for freshness in [Freshness::Session, Freshness::Eventual] {
        reads.set_freshness(freshness);
        assert!(shows(&mut reads, "late").await, "{freshness:?}");
    }
    // Who continues a session passes that on, though it wrote nothing itself.
    let passed = reads.token().await.unwrap();
    let mut third = scene.guest().await;
    third.require(&passed).await.unwrap();
    assert!(shows(&mut third, "late").await);
    scene.kit(|kit| kit.kill_and_promote(1)).unwrap();
    block_in_place(|| scene.await_writer(1));
    let mut after = scene.guest().await;
    after.require(&early).await.unwrap();
    assert!(shows(&mut after, "early").await);
    let refused = after.require(&late).await.unwrap_err();
    assert!(refused.text.contains("failover"), "{refused}");
    assert_eq!((refused.outcome, refused.retry), (Outcome::NotApplied, Retry::Never));
}

/// Migrations run on the writer, once, and see what is applied already.
pub(crate) async fn migrations<K: Servers>(open: Open) {
    let scene = scene::<K>(open).await;
    scene.kit(|kit| kit.pause_replay(1)).unwrap();
    let migrate = async |expected: usize| {
        let [_, reader] =
            scene.ran(async { assert_eq!(scene.pool.migrate().await.unwrap(), expected) }).await;
        assert_eq!(reader, 0, "the reader knows of no migration");
    };
    migrate(2).await;
    migrate(0).await;
    assert_eq!(scene.ask(0, "SELECT count(*) FROM baskets WHERE owner = 'Ada'"), 1);
    scene.pool.revert().await.unwrap();
    assert_eq!(scene.ask(0, "SELECT count(*) FROM baskets"), 0);
    migrate(1).await;
    assert_eq!(scene.ask(0, "SELECT count(*) FROM baskets WHERE owner = 'Ada'"), 1);
    // What they left can be used at once.
    let mut session = scene.guest().await;
    session.execute("INSERT INTO baskets (id, owner) VALUES (2, 'Bob')").await.unwrap();
    assert_eq!(session.number("SELECT count(*) FROM baskets").await.unwrap(), 2);
    scene.assert_clean().await;
}
