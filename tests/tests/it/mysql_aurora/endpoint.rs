//! A cluster endpoint is all that a program is told.

use aurora_core::{Cluster, Config};
use aurora_tests::{LIMIT, eventually};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use test_kit::{MariaDbCluster, PASSWORD};

use crate::mysql_core::stand::Stand;
use crate::names::book::Book;

const DOMAIN: &str = "c1a2b3.eu-west-1.rds.amazonaws.com";

/// The address that a connection to the writer leads to.
fn written_to(stand: &Stand) -> String {
    let topology = stand.cluster.topology();
    let writer = topology.writer().expect("a writer");
    let asked = stand.open(writer, LIMIT, async |mut conn: Conn| {
        conn.query_drop("INSERT INTO t VALUES (NULL)").await.unwrap();
        conn.query_first::<String, _>("SELECT @@report_host").await.unwrap().unwrap()
    });
    asked.unwrap()
}

#[test]
fn a_cluster_endpoint_leads_to_all_instances_and_need_not_follow_a_failover() {
    let kit = MariaDbCluster::builder().instances(3).aurora(true).start().unwrap();
    kit.client(0).unwrap().run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)").unwrap();
    kit.await_readers().unwrap();
    let (endpoint, book) = (kit.endpoint(0).unwrap(), Book::default());
    let name = format!("shop.cluster-{DOMAIN}");
    book.write(&name, &[endpoint.address().ip()]);
    for index in 0..3 {
        book.write(&format!("{}.{DOMAIN}", kit.name(index)), &[kit.address(index).0]);
    }
    let url = format!("mysql://app:{PASSWORD}@{name}/app?sslmode=disable&probe_interval=100ms");
    let config = Config::builder().url(&url).resolver(book).build().unwrap();
    let stand = Stand { cluster: Cluster::connect_blocking(config).unwrap(), kit };
    eventually("all instances are known", || stand.cluster.topology().readers().len() == 2);
    let public = |index| stand.kit.address(index).0.to_string();
    assert_eq!(written_to(&stand), public(0));
    let ips: Vec<_> = stand.cluster.topology().instances().iter().filter_map(|i| i.ip()).collect();
    assert!(!ips.contains(&endpoint.address().ip()), "the endpoint itself is not used: {ips:?}");

    // The endpoint still leads to the old writer.
    stand.kit.kill_and_promote(2).unwrap();
    stand.await_writer(2);
    assert_eq!(written_to(&stand), public(2));
    endpoint.set_target(stand.kit.address(2)).unwrap();
    stand.kit.rejoin(0).unwrap();
    stand.await_readers(2);
    stand.kit.switchover(1).unwrap();
    stand.await_writer(1);
    assert_eq!(written_to(&stand), public(1));
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}
