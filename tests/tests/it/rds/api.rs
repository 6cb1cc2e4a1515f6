//! An API that is throttled, slow, broken or away harms no routing.

use std::time::Duration;

use aurora_core::Health;
use aurora_tests::doors::diesel_r2d2;
use aurora_tests::scene::eventually;
use test_kit::aws::Mood;
use tokio::task::block_in_place;

use super::stand::{Desk, connect, readers};

const MOODS: [Mood; 7] = [
    Mood::Throttling,
    Mood::Failing,
    Mood::Slow(Duration::from_secs(25)),
    Mood::Garbage,
    Mood::Strange,
    Mood::Denying,
    Mood::Gone,
];

const REPORTS: &str = "reports.cluster-custom-";
const OFTEN: &str = "rds_refresh=1s&freshness=eventual";

/// The last good answer stands, reads and writes go on, and the status tells why nothing is new.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_api_the_cluster_serves_as_before() {
    for mood in MOODS {
        let desk = Desk::open();
        desk.members(&["instance-3".to_owned()], &[]);
        let scene = desk.scene(diesel_r2d2::open, REPORTS, OFTEN).await;
        let zones = || -> Vec<Option<String>> {
            let instances = scene.cluster.status().instances;
            instances.into_iter().map(|instance| instance.availability_zone).collect()
        };
        eventually("the API has told", async || zones().iter().all(Option::is_some)).await;
        assert_eq!(scene.cluster.status().rds_problem, None);
        desk.front.be(mood);
        let mut guest = scene.guest().await;
        let mut serves = async || {
            guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap();
            guest.names().await.unwrap();
            let status = scene.cluster.status();
            assert!(status.instances.iter().all(|i| i.health == Health::Online), "{status}");
            assert_eq!(readers(&scene.cluster), ["instance-3"], "{mood:?}");
            assert!(zones().iter().all(Option::is_some), "{mood:?}");
            status.rds_problem
        };
        eventually("the problem is told", async || serves().await.is_some()).await;
        let status = scene.cluster.status().to_string();
        assert!(status.contains("the API of RDS"), "{status}");
        desk.front.be(Mood::Honest);
        eventually("it answers again", async || serves().await.is_none()).await;
        block_in_place(|| drop(guest));
    }
}

/// Whoever starts while the API is away gets a cluster; reads go to all until it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_the_members_of_a_custom_endpoint_but_not_for_long() {
    let desk = Desk::open();
    desk.members(&["instance-3".to_owned()], &[]);
    let scene = desk.scene(diesel_r2d2::open, REPORTS, OFTEN).await;
    for mood in MOODS {
        desk.front.be(mood);
        let config = scene.kit(|kit| desk.config(kit, REPORTS, OFTEN));
        let cluster = block_in_place(|| connect(config)).unwrap();
        let all = ["instance-2", "instance-3"];
        eventually("all serve reads", async || readers(&cluster) == all).await;
        eventually("the problem is told", async || cluster.status().rds_problem.is_some()).await;
        desk.front.be(Mood::Honest);
        eventually("it stays inside", async || readers(&cluster) == ["instance-3"]).await;
        block_in_place(|| drop(cluster));
    }
}

/// With `none` nobody is asked.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_when_the_user_says_so() {
    let desk = Desk::open();
    desk.members(&["instance-3".to_owned()], &[]);
    let scene = desk.scene(diesel_r2d2::open, REPORTS, "rds_refresh=none").await;
    let mut guest = scene.guest().await;
    for _ in 0..10 {
        guest.names().await.unwrap();
    }
    assert_eq!(readers(&scene.cluster), ["instance-2", "instance-3"]);
    let calls = ["DescribeDBClusterEndpoints", "DescribeDBInstances", "DescribeDBClusters"];
    assert_eq!(calls.map(|operation| desk.front.calls(operation)), [0, 0, 0]);
    block_in_place(|| drop(guest));
}

/// The API tells of a hundred instances at a time, and where the next ones are.
#[tokio::test(flavor = "multi_thread")]
async fn instances_on_later_pages_are_known_as_well() {
    let desk = Desk::open();
    desk.members(&["instance-3".to_owned()], &[]);
    let scene = desk.scene(diesel_r2d2::open, REPORTS, OFTEN).await;
    scene.kit(|kit| desk.tell_page_by_page(kit));
    eventually("all pages were read", async || {
        let instances = scene.cluster.status().instances;
        let mut zones: Vec<_> = instances.into_iter().map(|i| i.availability_zone).collect();
        zones.sort();
        zones == ["on-page-0", "on-page-1", "on-page-2"].map(|zone| Some(zone.to_owned()))
    })
    .await;
}
