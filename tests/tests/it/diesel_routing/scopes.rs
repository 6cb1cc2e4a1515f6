//! What the user asks for: promises of freshness.

use std::time::Duration;

use aurora_diesel::Freshness;
use aurora_tests::ITEMS;
use aurora_tests::stand::Stand;
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

const COUNT: &str = "SELECT count(*) FROM items";

#[test]
fn promises_of_freshness_are_kept() {
    let stand = Stand::with(PgCluster::builder().instances(2), "probe_interval=50ms");
    stand.seed(ITEMS);
    let session = &mut stand.session();
    let mut place = |freshness: Option<Freshness>| {
        if let Some(freshness) = freshness {
            session.set_freshness(freshness);
        }
        stand.counting(|| session.batch_execute(COUNT).unwrap())
    };
    assert_eq!(place(Some(Freshness::Strong)), [1, 0]);
    assert_eq!(place(Some(Freshness::Eventual)), [0, 1]);
    let minute = Freshness::Bounded(Duration::from_secs(60));
    aurora_tests::eventually("the reader is measured", || {
        stand.instance(1).fresh_as_of().is_some()
    });
    assert_eq!(place(Some(minute)), [0, 1]);
    stand.kit.set_replay_delay(1, Duration::from_secs(60)).unwrap();
    let bound = Freshness::Bounded(Duration::from_millis(500));
    aurora_tests::eventually("the reader falls behind", || {
        stand
            .kit
            .client(0)
            .unwrap()
            .batch_execute("INSERT INTO items (name) VALUES ('a')")
            .unwrap();
        place(Some(bound)) == [1, 0]
    });
    assert_eq!(place(Some(Freshness::Eventual)), [0, 1]);
    let status = stand.cluster.status();
    assert!(status.reads_without_fresh_reader > 0, "{status:?}");
    // The promise of a session ends with it.
    drop(stand.session());
    assert_eq!(stand.counting(|| stand.session().batch_execute(COUNT).unwrap()), [0, 1]);
}
