//! Readers that go and come while they are read from.

use std::sync::Arc;

use aurora_core::Health;
use test_kit::PgCluster;
use tokio::task::block_in_place;

use super::door::Open;
use super::load::Load;
use super::scene::{Scene, eventually};

/// No read fails, whichever readers go; the writer reads when there is none; those that come are
/// used.
pub(crate) async fn come_and_go(open: Open) {
    let servers = PgCluster::builder().instances(3);
    let scene = Scene::with(open, servers, "probe_interval=200ms").await;
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
async fn reads(scene: &Scene, load: &Load, index: usize) -> bool {
    let before = scene.instance(index).stats().queries();
    load.reads_go_on().await;
    scene.instance(index).stats().queries() > before
}

/// An instance that is taken offline gets nothing until it is brought back.
async fn offline(scene: &Scene, load: &Load, index: usize) {
    let id = scene.id(index);
    scene.cluster.instance(id.clone()).take_offline().unwrap();
    // What had been routed before may begin still, but nothing after that.
    let quiet = async || !reads(scene, load, index).await && !reads(scene, load, index).await;
    eventually("nothing is sent there", quiet).await;
    scene.cluster.instance(id).bring_online().unwrap();
    assert!(reads(scene, load, index).await, "it is back");
}

/// A read whose reader is killed under it.
async fn a_read_in_flight_is_run_again(scene: &Scene, index: usize) {
    // On the one that is to be killed.
    let other = scene.id(3 - index);
    scene.cluster.instance(other.clone()).take_offline().unwrap();
    let (door, (address, _)) = (Arc::clone(&scene.pool), scene.kit.address(index));
    // Slow only there.
    let slow = format!(
        "SELECT count(pg_sleep(CASE host(inet_server_addr()) WHEN '{address}' THEN 60 ELSE 0 END))"
    );
    let read = tokio::spawn(async move { door.session().await?.number(&slow).await });
    let running = "SELECT count(*) FROM pg_stat_activity \
                   WHERE application_name = 'aurora' AND wait_event = 'PgSleep'";
    eventually("it runs", async || scene.ask(index, running) == 1).await;
    scene.cluster.instance(other).bring_online().unwrap();
    scene.kit(|kit| kit.kill(index)).unwrap();
    assert_eq!(read.await.unwrap().unwrap(), 1);
}
