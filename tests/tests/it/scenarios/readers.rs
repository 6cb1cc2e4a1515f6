//! Readers that go and come while they are read from.

use std::sync::Arc;

use aurora_core::Health;
use tokio::task::block_in_place;

use aurora_tests::servers::Servers;

use super::door::Open;
use super::load::Load;
use super::scene::{Scene, eventually};

/// No read fails, whichever readers go; the writer reads when there is none; those that come are
/// used.
pub(crate) async fn come_and_go<K: Servers>(open: Open) {
    let scene = Scene::<K>::started(open, 3, true, "probe_interval=200ms").await;
    let load = Load::start(&scene).await;
    a_read_in_flight_is_run_again(&scene, 1).await;
    block_in_place(|| scene.await_health(1, Health::Lost));
    load.goes_on().await;
    // Now there is none left.
    scene.kit(|kit| kit.kill(2)).unwrap();
    block_in_place(|| scene.await_health(2, Health::Lost));
    load.goes_on().await;
    assert!(scene.cluster.status().reads_without_reader > 0, "the writer reads");
    scene.kit(|kit| kit.start(1)).unwrap();
    block_in_place(|| scene.await_readers(1));
    assert!(reads(&scene, &load, 1).await, "the reader is used again");
    let added = scene.kit(|kit| kit.add_reader()).unwrap();
    block_in_place(|| scene.await_readers(2));
    assert!(reads(&scene, &load, added).await, "the new reader is used");
    offline(&scene, &load, added).await;
    scene.kit(|kit| kit.remove_reader(added)).unwrap();
    block_in_place(|| scene.await_readers(1));
    load.goes_on().await;
    load.verify(&scene, 0).await;
    scene.assert_usable().await;
    scene.assert_clean().await;
}

/// Whether the instance serves some of the load's reads.
async fn reads<K: Servers>(scene: &Scene<K>, load: &Load, index: usize) -> bool {
    let before = scene.instance(index).stats().queries();
    load.reads_go_on().await;
    scene.instance(index).stats().queries() > before
}

/// An instance that is taken offline gets nothing until it is brought back.
async fn offline<K: Servers>(scene: &Scene<K>, load: &Load, index: usize) {
    let id = scene.id(index);
    scene.cluster.instance(id.clone()).take_offline().unwrap();
    // What had been routed before may begin still, but nothing after that.
    let quiet = async || !reads(scene, load, index).await && !reads(scene, load, index).await;
    eventually("nothing is sent there", quiet).await;
    scene.cluster.instance(id).bring_online().unwrap();
    assert!(reads(scene, load, index).await, "it is back");
}

/// A read whose reader is killed under it.
async fn a_read_in_flight_is_run_again<K: Servers>(scene: &Scene<K>, index: usize) {
    // On the one that is to be killed.
    let other = scene.id(3 - index);
    scene.cluster.instance(other.clone()).take_offline().unwrap();
    let door = Arc::clone(&scene.pool);
    // Slow only there.
    let slow = K::TEXTS.slow.replace("{}", &scene.kit.ip(index));
    let read = tokio::spawn(async move { door.session().await?.number(&slow).await });
    eventually("it runs", async || scene.ask(index, K::TEXTS.sleeping) == 1).await;
    scene.cluster.instance(other).bring_online().unwrap();
    scene.kit(|kit| kit.kill(index)).unwrap();
    assert_eq!(read.await.unwrap().unwrap(), K::TEXTS.slept);
}
