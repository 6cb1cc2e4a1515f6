//! A cluster that is found by its identifier.

use std::time::Duration;

use aurora_core::{Cluster, ErrorKind, InstanceStatus};
use aurora_tests::doors::{diesel_r2d2, seaorm};
use aurora_tests::scene::eventually;
use test_kit::aws::Mood;
use tokio::task::block_in_place;

use super::stand::{CLASS, Desk, connect, readers};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_found_by_its_identifier_and_the_status_shows_what_the_api_knows() {
    let desk = Desk::open();
    let scene = desk.scene(seaorm::open, "", "aurora.cluster_id=shop").await;
    let first = scene.cluster.config().addresses()[0].to_string();
    assert!(first.starts_with("shop.cluster-"), "{first}");
    assert_eq!(readers(&scene.cluster), ["instance-2", "instance-3"]);
    let mut guest = scene.guest().await;
    guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap();
    assert!(guest.names().await.unwrap().contains(&"d".to_owned()));
    let is_told = |instance: &InstanceStatus| {
        let zone = match instance.instance.as_str() {
            "instance-1" => "eu-west-1a",
            "instance-2" => "eu-west-1b",
            _ => "eu-west-1c",
        };
        instance.availability_zone.as_deref() == Some(zone)
            && instance.class.as_deref() == Some(CLASS)
            && instance.promotion_tier == Some(1)
            && instance.rds_status.as_deref() == Some("available")
    };
    eventually("the API has told of all", async || {
        let status = scene.cluster.status();
        status.instances.len() == 3 && status.instances.iter().all(is_told)
    })
    .await;
    // The future of an asynchronous start needs no runtime of the library's.
    let config = scene.kit(|kit| desk.config(kit, "", "aurora.cluster_id=SHOP").build().unwrap());
    let again = Cluster::connect(config).await.unwrap();
    assert!(again.topology().writer().is_some());
    block_in_place(|| drop((guest, again)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_found_is_told_with_the_remedy() {
    let desk = Desk::open();
    let scene = desk.scene(diesel_r2d2::open, "", "aurora.cluster_id=shop").await;
    let fails = |mood, id: &str| {
        desk.front.be(mood);
        let options = format!("aurora.cluster_id={id}&failover_timeout=3s");
        let config = scene.kit(|kit| desk.config(kit, "", &options));
        block_in_place(|| connect(config)).expect_err("it is not found")
    };
    for (mood, id, kind, words) in [
        (Mood::Honest, "shops", ErrorKind::Configuration, "check the identifier, and the region"),
        (Mood::Denying, "shop", ErrorKind::Configuration, "allow rds:DescribeDB"),
        (Mood::Throttling, "shop", ErrorKind::Deadline, "ThrottlingException"),
        (Mood::Failing, "shop", ErrorKind::Deadline, "InternalServiceError"),
        (Mood::Garbage, "shop", ErrorKind::Deadline, "DescribeDBClusters"),
        (Mood::Strange, "shop", ErrorKind::Deadline, "tells nothing of shop"),
        (Mood::Gone, "shop", ErrorKind::Deadline, "in"),
        (Mood::Slow(Duration::from_secs(25)), "shop", ErrorKind::Deadline, "in time"),
    ] {
        let error = fails(mood, id);
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{mood:?}: {text}");
        assert!(text.contains("the cluster cannot be found"), "{mood:?}: {text}");
        assert!(text.contains(words), "{mood:?}: {text}");
    }
}
