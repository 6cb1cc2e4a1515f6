//! C5: the forms of a host: an alias, an IP address, localhost.

use std::net::IpAddr;

use aurora_core::{Cluster, Config, Endpoint, EndpointKind};
use aurora_tests::stand::pool;
use aurora_tests::{LIMIT, Manager};
use diesel::connection::SimpleConnection as _;
use test_kit::chaos::ChaosProxy;
use test_kit::{PASSWORD, PgCluster};

use super::book::Book;

/// Connects and runs a statement; returns where the writer was reached.
#[track_caller]
fn serves(host: &str, port: u16) -> Option<IpAddr> {
    let url = format!("postgres://app:{PASSWORD}@{host}:{port}/app");
    let cluster = Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap();
    cluster.wait_for_writer_blocking(LIMIT).unwrap();
    let session = &mut pool(&Manager::new(cluster.clone()), 1).get().unwrap();
    session.batch_execute("CREATE TABLE IF NOT EXISTS forms (id int)").unwrap();
    let topology = cluster.topology();
    topology.writer().unwrap().ip()
}

#[test]
fn ip_literals_and_localhost_work() {
    let kit = PgCluster::builder().start().unwrap();
    let server = kit.address(0);
    assert_eq!(serves(&server.0.to_string(), server.1), Some(server.0));
    let four = ChaosProxy::start(([127, 0, 0, 1], 0), server).unwrap();
    assert_eq!(serves("127.0.0.1", four.address().port()), Some([127, 0, 0, 1].into()));
    // localhost may be ::1 first, where nobody listens.
    assert_eq!(serves("localhost", four.address().port()), Some([127, 0, 0, 1].into()));
    assert_eq!(serves("LOCALHOST", four.address().port()), Some([127, 0, 0, 1].into()));
}

#[test]
fn an_ipv6_literal_works() {
    let kit = PgCluster::builder().start().unwrap();
    let six: IpAddr = "::1".parse().unwrap();
    let proxy = ChaosProxy::start((six, 0), kit.address(0)).unwrap();
    assert_eq!(serves("[::1]", proxy.address().port()), Some(six));
    assert_eq!(serves("[0:0::1]", proxy.address().port()), Some(six));
}

#[test]
fn an_alias_of_an_aurora_cluster_serves_and_names_the_setting_that_finds_the_others() {
    let kit = PgCluster::builder().instances(2).aurora(true).start().unwrap();
    let book = Book::default();
    book.write("db.example.test", &[kit.address(0).0]);
    assert_eq!(Endpoint::parse("db.example.test").kind(), EndpointKind::Other);
    let cluster = book.connect(&kit, &["db.example.test"], "").unwrap();
    assert_eq!(cluster.wait_for_writer_blocking(LIMIT).unwrap().as_str(), kit.name(0));
    aurora_tests::eventually("the missing setting is named", || {
        cluster.topology().degraded().is_some_and(|why| why.contains("instance_host_pattern"))
    });
    // With it, all are found.
    for index in 0..2 {
        book.write(&format!("{}.example.test", kit.name(index)), &[kit.address(index).0]);
    }
    let pattern = "instance_host_pattern=?.example.test";
    let cluster = book.connect(&kit, &["db.example.test"], pattern).unwrap();
    aurora_tests::eventually("the reader is found", || cluster.topology().readers().len() == 1);
    assert_eq!(cluster.topology().degraded(), None);
}
