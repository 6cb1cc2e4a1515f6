//! A password that is changed again and again while all adapters connect all the time.

use std::time::Duration;

use aurora_seaorm::AuroraConnectOptions as _;
use aurora_tests::doors::diesel_r2d2;
use aurora_tests::load::Load;
use aurora_tests::scene::{Scene, eventually};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

use super::OFTEN_ANEW;
use super::source::Source;
use super::stand::{self, FIRST, Vault, all_doors, set_password};

const ROTATIONS: usize = 20;

async fn no_failures(load: &mut Load) {
    assert_eq!(load.stop().await, 0, "every worker ends");
    let operations = load.log.operations();
    let failed: Vec<_> = operations.iter().filter_map(|done| done.failure.as_ref()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), operations.len());
}

fn rotate(vault: &Vault, scene: &Scene, number: usize) {
    scene.kit(|kit| vault.rotate(kit, &format!("planted-{number}")));
}

/// The real SDK, one instance: exactly one call of the API for each rotation.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_rotations_under_load_fail_nothing_and_cost_one_call_each() {
    let vault = Vault::open();
    let scene = vault.scene(diesel_r2d2::open, 1, OFTEN_ANEW).await;
    let doors = all_doors(&scene).await;
    let mut load = Load::through(&scene, &doors).await;
    for number in 1..=ROTATIONS {
        let before = vault.front.calls("GetSecretValue");
        rotate(&vault, &scene, number);
        let is_met = async || vault.front.calls("GetSecretValue") > before;
        eventually("the rotation is met", is_met).await;
        load.goes_on().await;
    }
    no_failures(&mut load).await;
    let calls = vault.front.calls("GetSecretValue");
    assert!(calls <= 1 + ROTATIONS, "{calls} calls");
    assert!(calls > ROTATIONS, "{calls} calls: every rotation was met");
}

/// Readers that learn of the password a little later than the writer.
#[tokio::test(flavor = "multi_thread")]
async fn rotations_fail_nothing_where_readers_lag() {
    let vault = Vault::open();
    let scene = vault.scene(diesel_r2d2::open, 3, OFTEN_ANEW).await;
    let mut load = Load::start(&scene).await;
    for number in 1..=3 {
        rotate(&vault, &scene, number);
        load.goes_on().await;
    }
    no_failures(&mut load).await;
}

/// The server is changed first, and the source only some seconds later: logins wait meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_between_server_and_source_delays_and_fails_nothing() {
    let window = Duration::from_secs(60);
    let source = Source::of(FIRST).with_window(window);
    let scene = stand::scene(diesel_r2d2::open, 1, OFTEN_ANEW, source.clone()).await;
    let doors = all_doors(&scene).await;
    let mut load = Load::through(&scene, &doors).await;
    let before = source.asked();
    scene.kit(|kit| set_password(kit, "second"));
    // The refusal, and one retry at least.
    eventually("it is asked again", async || source.asked() >= before + 2).await;
    source.set("second");
    load.goes_on().await;
    no_failures(&mut load).await;
    assert!(source.asked() < before + 8, "asked {} times", source.asked() - before);
}

/// SeaORM's own pool tells nobody when its password is refused, so it is found out for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_seaorm_learns_of_a_new_password() {
    let source = Source::of(FIRST);
    let scene = stand::scene(diesel_r2d2::open, 1, "", source.clone()).await;
    let options = ConnectOptions::for_cluster(&scene.cluster, aurora_seaorm::Role::Writer);
    let database = Database::connect(options).await.unwrap();
    scene.kit(|kit| set_password(kit, "second"));
    source.set("second");
    assert!(scene.terminate(0) > 0, "the pool had a connection");
    eventually("it connects anew", async || database.execute_unprepared("SELECT 1").await.is_ok())
        .await;
    database.close().await.unwrap();
}

/// In the middle of a rotation, where the server has the next password already, and the secret
/// tells it as its pending version only.
#[tokio::test(flavor = "multi_thread")]
async fn the_pending_version_bridges_a_rotation() {
    let vault = Vault::open();
    let scene = vault.scene(diesel_r2d2::open, 1, OFTEN_ANEW).await;
    let doors = all_doors(&scene).await;
    let mut load = Load::through(&scene, &doors).await;
    let pending = stand::json("planted-1");
    scene.kit(|kit| {
        vault.moto.put_pending(stand::SECRET, &pending).unwrap();
        set_password(kit, "planted-1");
    });
    let calls = || vault.front.calls("GetSecretValue");
    eventually("a login was refused, and both versions were read", async || calls() >= 3).await;
    load.goes_on().await;
    scene.kit(|_| vault.moto.put_secret(stand::SECRET, &pending).unwrap());
    load.goes_on().await;
    no_failures(&mut load).await;
    assert_eq!(calls(), 3, "the first, the current, the pending one");
}
