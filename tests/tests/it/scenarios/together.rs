//! Several ORMs in one process, with one cluster between them.

use std::sync::Arc;

use tokio::task::block_in_place;

use super::door::{Door, Open};
use super::doors::{bb8, deadpool, diesel_r2d2, mobc, seaorm};
use super::load::Load;
use super::scene::{Scene, eventually};

const OTHERS: [Open; 4] = [bb8::open, deadpool::open, mobc::open, seaorm::open];

/// All of them together have one monitoring connection to each instance, learn of a failover at
/// once, and keep one ledger.
#[tokio::test(flavor = "multi_thread")]
async fn all_adapters_share_one_cluster() {
    let scene = Scene::safe(diesel_r2d2::open, 3, "").await;
    let mut doors: Vec<Arc<dyn Door>> = vec![Arc::clone(&scene.pool)];
    for open in OTHERS {
        doors.push(open(scene.cluster.clone(), 4).await);
    }
    let load = Load::through(&scene, &doors).await;
    assert_eq!(monitors(&scene), [1, 1, 1]);
    scene.kit(|kit| kit.kill_and_promote(1)).unwrap();
    block_in_place(|| scene.await_writer(1));
    load.goes_on().await;
    scene.kit(|kit| kit.rejoin(0)).unwrap();
    scene.await_roles(1, 2);
    load.goes_on().await;
    scene.kit(|kit| kit.switchover(0)).unwrap();
    scene.await_roles(0, 2);
    load.goes_on().await;
    eventually("one monitor each", async || monitors(&scene) == [1, 1, 1]).await;
    load.verify(&scene, 2).await;
    // What one wrote, the others read; each in a session of its own that was told nothing.
    let mut written = Vec::new();
    for door in &doors {
        written.push(door.session().await.unwrap().add("by all").await.unwrap());
    }
    block_in_place(|| aurora_tests::stand::caught_up(&scene.kit));
    for door in &doors {
        let names = door.session().await.unwrap().names().await.unwrap();
        assert_eq!(names.iter().filter(|name| *name == "by all").count(), doors.len());
    }
    written.sort_unstable();
    written.dedup();
    assert_eq!(written.len(), doors.len());
    drop(doors);
    scene.assert_clean().await;
}

fn monitors(scene: &Scene) -> [i64; 3] {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE usename = 'app' AND application_name LIKE '%monitor%'";
    std::array::from_fn(|index| scene.ask(index, sql))
}
