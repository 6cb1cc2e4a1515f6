//! Readers that are behind.

use std::time::Duration;

use aurora_core::Freshness;
use aurora_core::sql::Target;
use test_kit::PgCluster;

use super::door::{Access, Guest, Open};
use super::scene::{Scene, eventually, inside};

/// One reader, measured often.
async fn scene(open: Open) -> Scene {
    let servers = PgCluster::builder().instances(2).synchronous(false);
    Scene::with(open, servers, "probe_interval=50ms").await
}

async fn shows(session: &mut Guest, name: &str) -> bool {
    session.names().await.unwrap().iter().any(|shown| shown == name)
}

/// A session reads what it wrote however far behind the readers are, and only from then on
/// elsewhere when they have caught up.
pub(crate) async fn own_writes(open: Open) {
    let scene = scene(open).await;
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
async fn promises(scene: &Scene, session: &mut Guest) {
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

/// Migrations run on the writer, once, and see what is applied already.
pub(crate) async fn migrations(open: Open) {
    let scene = scene(open).await;
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
    session.execute("INSERT INTO baskets VALUES (2, 'Bob')").await.unwrap();
    assert_eq!(session.number("SELECT count(*) FROM baskets").await.unwrap(), 2);
    scene.assert_clean().await;
}
