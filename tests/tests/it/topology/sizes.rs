//! D6: the smallest and the largest cluster.

use std::collections::HashSet;

use aurora_core::{Because, Health, Role};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, eventually};
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

#[test]
fn a_writer_alone_serves_everything_and_its_reads_are_counted() {
    let stand = Stand::new(1);
    stand.seed(ITEMS);
    let session = &mut stand.session();
    session.batch_execute("INSERT INTO items (name) VALUES ('a')").unwrap();
    let before = stand.cluster.status().reads_without_reader;
    session.batch_execute("SELECT * FROM items").unwrap();
    assert_eq!(stand.cluster.status().reads_without_reader, before + 1);
    assert_eq!(stand.cluster.explain("SELECT 1").because, Some(Because::NoReader));
}

#[test]
fn a_writer_alone_may_be_kept_from_reads() {
    let options = "reader_fallback=false&failover_timeout=100ms";
    let stand = Stand::with(PgCluster::builder(), options);
    let error = stand.session().batch_execute("SELECT 1").unwrap_err();
    assert!(error.to_string().contains("allow reader_fallback"), "{error}");
    stand.session().batch_execute("CREATE TABLE t (id int)").unwrap();
}

/// As many readers as an Aurora cluster has at most. Source: Aurora user guide, quotas.
#[test]
fn fifteen_readers_share_the_reads() {
    let servers = PgCluster::builder().instances(16).aurora(true).synchronous(false);
    let stand = Stand::with(servers, "freshness=eventual");
    eventually("the topology is complete", || stand.cluster.status().degraded.is_none());
    let topology = stand.cluster.topology();
    assert_eq!(topology.instances().len(), 16);
    assert!(topology.instances().iter().all(|i| i.health() == Health::Online));
    let session = &mut stand.session();
    for _ in 0..60 {
        session.batch_execute("SELECT 1").unwrap();
    }
    let served = |role| {
        let topology = stand.cluster.topology();
        let of =
            topology.instances().iter().filter(|i| i.role() == role && i.stats().queries() > 0);
        of.map(|i| i.id().clone()).collect::<HashSet<_>>().len()
    };
    assert_eq!((served(Role::Reader), served(Role::Writer)), (15, 0));
}
