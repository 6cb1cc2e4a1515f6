//! Writers that go while they are written to: no write is lost, none is applied twice, and no
//! error lies.

use std::sync::Arc;
use std::time::Duration;

use aurora_core::{Health, Outcome, Retry, Role};
use aurora_tests::ledger::{LEDGER, Ledger};
use aurora_tests::servers::Servers;
use tokio::task::block_in_place;

use super::door::{Kind, Open};
use super::load::{Load, note};
use super::scene::{Scene, eventually};

/// Once the new writer is known no write is refused, and the old one reads.
pub(crate) async fn switchovers<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 3, true, "").await;
    let load = Load::start(&scene).await;
    for to in [1, 2] {
        scene.kit(|kit| kit.switchover(to)).unwrap();
        scene.await_roles(to, 2);
        load.goes_on().await;
    }
    reads(&scene, &load, 1).await;
    load.verify(&scene, 2).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// A crash costs each task one honest error at most; the old writer comes back and reads.
pub(crate) async fn killed<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 3, true, "").await;
    let load = Load::start(&scene).await;
    scene.kit(|kit| kit.kill_and_promote(1)).unwrap();
    block_in_place(|| scene.await_writer(1));
    load.goes_on().await;
    scene.kit(|kit| kit.rejoin(0)).unwrap();
    scene.await_roles(1, 2);
    assert_eq!(scene.instance(0).role(), Role::Reader);
    reads(&scene, &load, 0).await;
    load.verify(&scene, 1).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// The instance serves some of the load's reads.
async fn reads<K: Servers>(scene: &Scene<K>, load: &Load, index: usize) {
    let before = scene.instance(index).stats().queries();
    load.reads_go_on().await;
    assert!(scene.instance(index).stats().queries() > before, "instance {index} reads");
}

/// Without a writer writes wait until their deadline, reads go on, and those that wait when there
/// is a writer again are written.
pub(crate) async fn missing<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 2, true, "failover_timeout=1s").await;
    scene.prepare(LEDGER);
    let mut session = scene.guest().await;
    session.add("before").await.unwrap();
    scene.kit(|kit| kit.kill(0)).unwrap();
    block_in_place(|| scene.await_health(0, Health::Lost));
    let failure = session.add("meanwhile").await.unwrap_err();
    assert_eq!((failure.kind, failure.outcome), (Kind::NotSent, Outcome::NotApplied), "{failure}");
    assert_eq!(failure.retry, Retry::AfterTopologyChange, "{failure}");
    assert!([0, 1].iter().all(|index| failure.text.contains(&scene.kit.name(*index))), "{failure}");
    assert_eq!(scene.guest().await.names().await.unwrap().len(), 4, "reads go on");
    let ledger = Arc::new(Ledger::default());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (door, ledger) = (Arc::clone(&scene.pool), Arc::clone(&ledger));
        tasks.spawn(async move {
            // As an application does: again after "not applied".
            while !ledger.is_stopped() {
                let id = ledger.take_id();
                let insert = format!("INSERT INTO ledger VALUES ({id})");
                let result = door.session().await.unwrap().execute(&insert).await;
                let done = result.is_ok();
                note(&ledger, id, task, result);
                if done {
                    break;
                }
            }
        });
    }
    scene.kit(|kit| kit.promote(1)).unwrap();
    eventually("those that waited have written", async || ledger.acknowledged() == 4).await;
    tasks.join_all().await;
    assert!(ledger.errors().iter().all(|(_, outcome, _)| *outcome == Outcome::NotApplied));
    block_in_place(|| ledger.verify(&scene.kit));
    session.add("after").await.unwrap();
    assert_eq!((scene.stored("meanwhile"), scene.stored("after")), (0, 1));
    assert!(scene.cluster.config().failover_timeout() == Duration::from_secs(1));
    scene.assert_clean().await;
}
