//! C1: a cluster endpoint still leads to the old writer.

use aurora_core::{Cluster, Config, ErrorKind, Event, Role};
use aurora_tests::stand::{caught_up, pool};
use aurora_tests::{ITEMS, LIMIT, Manager, events_until, eventually, items};
use diesel::prelude::*;
use test_kit::{PASSWORD, PgCluster};

use super::book::Book;

/// How many rows the instance shows past the library.
fn rows(kit: &PgCluster, index: usize) -> i64 {
    let counted = kit.superuser(index).unwrap().query_one("SELECT count(*) FROM items", &[]);
    counted.unwrap().get(0)
}

/// Writes through the library and shows that the true writer got it.
#[track_caller]
fn assert_writes_reach(cluster: &Cluster, kit: &PgCluster, writer: usize) {
    let before = rows(kit, writer);
    let session = &mut pool(&Manager::new(cluster.clone()), 1).get().unwrap();
    diesel::insert_into(items::table).values(items::name.eq("a")).execute(session).unwrap();
    assert_eq!(rows(kit, writer), before + 1);
    for instance in cluster.topology().instances() {
        let writes = instance.stats().writes();
        assert!(writes == 0 || instance.role() == Role::Writer, "{instance:?}");
    }
}

#[test]
fn a_stale_endpoint_is_not_trusted_and_the_writer_is_found_among_the_other_hosts() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let endpoint = kit.endpoint(0).unwrap();
    kit.switchover(1).unwrap();
    caught_up(&kit);
    let hosts = kit.url().replace('@', &format!("@{},", endpoint.address()));
    let cluster = Cluster::connect_blocking(Config::from_url(&hosts).unwrap()).unwrap();
    assert_eq!(cluster.wait_for_writer_blocking(LIMIT).unwrap().as_str(), kit.name(1));
    assert_writes_reach(&cluster, &kit, 1);
}

#[test]
fn a_stale_endpoint_alone_is_refused_with_what_to_add() {
    let kit = PgCluster::builder().instances(2).start().unwrap();
    let endpoint = kit.endpoint(0).unwrap();
    kit.switchover(1).unwrap();
    let url = format!("postgres://app:{PASSWORD}@{}/app", endpoint.address());
    let error = Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoWriter, "{error}");
    assert!(error.to_string().contains("add the writer's address to the URL"), "{error}");
}

#[test]
fn a_stale_endpoint_of_aurora_leads_to_the_writer_through_the_topology() {
    let kit = PgCluster::builder().instances(3).aurora(true).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let book = Book::default();
    book.write("shop.test", &[kit.endpoint(0).unwrap().address().ip()]);
    let endpoint = kit.endpoint(0).unwrap();
    book.write("shop.test", &[endpoint.address().ip()]);
    for index in 0..3 {
        book.write(&format!("{}.shop.test", kit.name(index)), &[kit.address(index).0]);
    }
    kit.switchover(2).unwrap();
    caught_up(&kit);
    let pattern = "instance_host_pattern=?.shop.test";
    let cluster = book.connect(&kit, &["shop.test"], pattern).unwrap();
    assert_eq!(cluster.wait_for_writer_blocking(LIMIT).unwrap().as_str(), kit.name(2));
    eventually("all instances are known", || cluster.topology().readers().len() == 2);
    assert_writes_reach(&cluster, &kit, 2);
    let ips: Vec<_> = cluster.topology().instances().iter().filter_map(|i| i.ip()).collect();
    assert!(!ips.contains(&endpoint.address().ip()), "the endpoint itself is not used: {ips:?}");
}

#[test]
fn a_stale_alias_of_aurora_without_a_pattern_names_the_missing_setting() {
    let kit = PgCluster::builder().instances(2).aurora(true).start().unwrap();
    let book = Book::default();
    book.write("db.example.test", &[kit.address(0).0]);
    kit.switchover(1).unwrap();
    let error = book.connect(&kit, &["db.example.test"], "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoWriter, "{error}");
    assert!(error.to_string().contains("instance_host_pattern"), "{error}");
}

#[test]
fn a_name_that_moves_to_the_new_writer_later_is_followed() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let book = Book::default();
    book.write("db.test", &[kit.address(0).0]);
    // Readers do not tell of others, so without the name nobody would find another writer.
    let cluster = book.connect(&kit, &["db.test"], "dialect=single&probe_interval=100ms").unwrap();
    kit.switchover(1).unwrap();
    caught_up(&kit);
    let mut events = cluster.events();
    let is_reader = |event: &Event| matches!(event, Event::RoleChanged { to: Role::Reader, .. });
    if cluster.topology().instances()[0].role() != Role::Reader {
        events_until(&mut events, is_reader);
    }
    assert!(cluster.topology().writer().is_none(), "the demoted writer is no writer");
    book.write("db.test", &[kit.address(1).0]);
    cluster.wait_for_writer_blocking(LIMIT).unwrap();
    assert_eq!(cluster.topology().writer().unwrap().ip(), Some(kit.address(1).0));
    assert_writes_reach(&cluster, &kit, 1);
}

#[test]
fn an_endpoint_that_is_moved_for_new_connections_alone_is_followed() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let endpoint = kit.endpoint(0).unwrap();
    let url = format!("postgres://app:{PASSWORD}@{}/app?dialect=single", endpoint.address());
    let cluster = Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap();
    kit.switchover(1).unwrap();
    caught_up(&kit);
    eventually("it leads to the demoted writer", || {
        cluster.topology().instances()[0].role() == Role::Reader
    });
    endpoint.set_target(kit.address(1)).unwrap();
    cluster.wait_for_writer_blocking(LIMIT).unwrap();
    assert_writes_reach(&cluster, &kit, 1);
}
