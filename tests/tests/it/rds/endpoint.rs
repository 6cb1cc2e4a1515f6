//! A URL that names a custom endpoint.

use aurora_tests::doors::{diesel_r2d2, seaorm};
use aurora_tests::scene::eventually;
use tokio::task::block_in_place;

use super::stand::{CLASS, Desk, readers};

/// The custom endpoint of the tests, and as often as it can be asked.
const REPORTS: &str = "reports.cluster-custom-";
const OFTEN: &str = "rds_refresh=1s&freshness=eventual";

#[tokio::test(flavor = "multi_thread")]
async fn reads_stay_inside_a_custom_endpoint_and_writes_go_to_the_writer() {
    let desk = Desk::open();
    desk.members(&["instance-3".to_owned()], &[]);
    let scene = desk.scene(diesel_r2d2::open, REPORTS, OFTEN).await;
    assert_eq!(scene.kit(|kit| kit.name(2)), "instance-3");
    let mut guest = scene.guest().await;
    let ran = scene.ran::<3>(async {
        for _ in 0..30 {
            guest.names().await.unwrap();
        }
    });
    assert_eq!(ran.await, [0, 0, 30], "reads");
    let ran = scene.ran::<3>(async {
        guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap();
    });
    assert_eq!(ran.await, [1, 0, 0], "a write");
    // Without a member that can be used they go to the writer, and not to the reader outside.
    scene.kit(|kit| kit.stop(2).unwrap());
    eventually("its member is gone", async || readers(&scene.cluster).is_empty()).await;
    let ran = scene.ran::<3>(async {
        for _ in 0..10 {
            guest.names().await.unwrap();
        }
    });
    let [writer, outside, _] = ran.await;
    assert_eq!((writer, outside), (10, 0), "reads while its member is gone");
    block_in_place(|| drop(guest));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_members_change_while_the_pool_is_in_use() {
    let desk = Desk::open();
    desk.members(&[], &["instance-3".to_owned()]);
    let scene = desk.scene(diesel_r2d2::open, REPORTS, OFTEN).await;
    assert_eq!(readers(&scene.cluster), ["instance-2"]);
    let status = scene.cluster.status();
    let outside: Vec<_> = status.instances.iter().filter(|i| i.outside_endpoint).collect();
    assert_eq!(outside.len(), 1, "{status}");
    assert_eq!(outside[0].instance.as_str(), "instance-3");
    assert!(status.to_string().contains("outside"), "{status}");

    desk.members(&[], &[]);
    let all = ["instance-2", "instance-3"];
    eventually("all belong to it", async || readers(&scene.cluster) == all).await;
    desk.members(&["instance-3".to_owned(), "instance-1".to_owned()], &[]);
    eventually("others do", async || readers(&scene.cluster) == ["instance-3"]).await;
    scene.kit(|kit| kit.switchover(2).unwrap());
    eventually("a member was promoted", async || readers(&scene.cluster) == ["instance-1"]).await;
    assert_eq!(scene.cluster.topology().writer().unwrap().class(), Some(CLASS));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_fallback_reads_wait_for_a_member() {
    let desk = Desk::open();
    desk.members(&["instance-9".to_owned()], &[]);
    let options = format!("{OFTEN}&reader_fallback=false&failover_timeout=20s");
    let scene = desk.scene(seaorm::open, REPORTS, &options).await;
    let mut guest = scene.guest().await;
    let explained = scene.cluster.explain("SELECT 1");
    assert_eq!(explained.instance, None, "{explained}");
    let (names, ()) = tokio::join!(guest.names(), async {
        desk.members(&["instance-2".to_owned()], &[]);
    });
    assert!(names.unwrap().contains(&"a".to_owned()));
    block_in_place(|| drop(guest));
}
