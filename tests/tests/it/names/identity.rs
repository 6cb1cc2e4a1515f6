//! C4: an address that belongs to another cluster now.

use std::time::Instant;

use aurora_core::{Cluster, ErrorKind, Event, Health, Outcome, Role};
use aurora_tests::stand::Stand;
use aurora_tests::stand::{caught_up, pool};
use aurora_tests::{ITEMS, LIMIT, Manager, Sessions, events_until, eventually, items};
use diesel::prelude::*;
use test_kit::PgCluster;

use super::book::Book;

/// A cluster whose reader is called "b.test", and another cluster.
struct Neighbours {
    book: Book,
    cluster: Cluster,
    ours: PgCluster,
    theirs: PgCluster,
}

fn neighbours() -> Neighbours {
    let [ours, theirs] = [2, 1].map(|count| PgCluster::builder().instances(count).start().unwrap());
    for kit in [&ours, &theirs] {
        kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    }
    caught_up(&ours);
    let book = Book::default();
    book.write("a.test", &[ours.address(0).0]);
    book.write("b.test", &[ours.address(1).0]);
    let cluster = book.connect(&ours, &["a.test", "b.test"], "probe_interval=100ms").unwrap();
    eventually("both are online", || cluster.topology().readers().len() == 1);
    Neighbours { book, cluster, ours, theirs }
}

/// How many rows were written to the other cluster.
fn rows(kit: &PgCluster) -> i64 {
    let sql = "SELECT count(*) FROM items";
    kit.superuser(0).unwrap().query_one(sql, &[]).unwrap().get(0)
}

fn read_and_write(sessions: &Sessions) {
    let session = &mut sessions.get().unwrap();
    let insert = diesel::insert_into(items::table).values(items::name.eq("a"));
    assert_eq!(insert.execute(session), Ok(1));
    for _ in 0..4 {
        items::table.count().get_result::<i64>(session).unwrap();
    }
}

#[test]
fn an_address_that_belongs_to_another_cluster_now_gets_nothing() {
    let Neighbours { book, cluster, ours, theirs } = neighbours();
    let id = "b.test:5432".into();
    let epoch = cluster.topology().instance(&id).unwrap().epoch();
    let mut events = cluster.events();
    book.write("b.test", &[theirs.address(0).0]);
    ours.kill(1).unwrap();
    let is_foreign = |event: &Event| matches!(event, Event::HealthChanged { instance, to: Health::Foreign, .. } if *instance == id);
    let seen = events_until(&mut events, is_foreign);
    let text = seen[seen.len() - 1].to_string();
    assert!(text.contains("belongs to another cluster"), "{text}");
    // Events are told before the topology they come from is published.
    let now = || cluster.topology().instance(&id).unwrap().clone();
    eventually("it is published", || now().health() == Health::Foreign);
    let foreign = now();
    assert_eq!(foreign.role(), Role::Unknown);
    assert!(foreign.epoch() > epoch);
    let connects = foreign.stats().connects();
    read_and_write(&pool(&Manager::new(cluster.clone()), 4));
    assert_eq!(foreign.stats().connects(), connects);
    assert_eq!(rows(&theirs), 0);
    assert!(cluster.status().to_string().contains("foreign"));
    // It is welcome again as a member of ours.
    ours.start(1).unwrap();
    book.write("b.test", &[ours.address(1).0]);
    eventually("it serves again", || cluster.topology().readers().len() == 1);
}

#[test]
fn a_writers_name_that_leads_to_another_cluster_takes_no_write_there() {
    let Neighbours { book, cluster, ours, theirs } = neighbours();
    book.write("a.test", &[theirs.address(0).0]);
    ours.kill_and_promote(1).unwrap();
    eventually("the foreigner is found out and the reader promoted", || {
        let topology = cluster.topology();
        let health = topology.instance(&"a.test:5432".into()).map(|i| i.health());
        health == Some(Health::Foreign)
            && topology.writer().is_some_and(|writer| writer.id().as_str() == "b.test:5432")
    });
    read_and_write(&pool(&Manager::new(cluster), 4));
    assert_eq!(rows(&theirs), 0);
}

/// The monitor's connection still leads to our writer, every new one to the other cluster's.
fn moved() -> (Stand, PgCluster) {
    let stand = Stand::with(PgCluster::builder().behind_proxies(), "");
    stand.seed(ITEMS);
    let theirs = PgCluster::builder().start().unwrap();
    theirs.client(0).unwrap().batch_execute(ITEMS).unwrap();
    stand.kit.proxy(0).set_target(theirs.address(0)).unwrap();
    (stand, theirs)
}

#[test]
fn a_new_connection_that_leads_to_another_cluster_is_refused_before_any_statement() {
    let (stand, theirs) = moved();
    let session = &mut stand.session();
    let insert = diesel::insert_into(items::table).values(items::name.eq("a"));
    let error = insert.execute(session).unwrap_err();
    assert!(error.to_string().contains("leads to another cluster"), "{error}");
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
    assert!(items::table.count().get_result::<i64>(session).is_err());
    assert_eq!(rows(&theirs), 0);
    // It is ours again.
    stand.kit.proxy(0).set_target(direct(&stand.kit)).unwrap();
    let insert = diesel::insert_into(items::table).values(items::name.eq("a"));
    assert_eq!(insert.execute(session), Ok(1));
}

fn direct(kit: &PgCluster) -> std::net::SocketAddr {
    let url = kit.direct_url(0);
    let (_, rest) = url.split_once('@').unwrap();
    rest.split_once('/').unwrap().0.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_one_of_an_asynchronous_adapter() {
    let (stand, theirs) = tokio::task::block_in_place(moved);
    let topology = stand.cluster.topology();
    let opened = stand.cluster.connect_postgres(topology.writer().unwrap(), Instant::now() + LIMIT);
    let error = opened.await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongCluster, "{error}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    tokio::task::block_in_place(|| {
        assert_eq!(rows(&theirs), 0);
        drop((stand, theirs));
    });
}

#[test]
fn when_the_monitor_meets_the_other_cluster_the_instance_is_foreign_and_writes_wait() {
    let (stand, theirs) = moved();
    let mut events = stand.cluster.events();
    stand.kit.proxy(0).reset_all();
    stand.await_health(0, Health::Foreign);
    let is_foreign =
        |event: &Event| matches!(event, Event::HealthChanged { to: Health::Foreign, .. });
    events_until(&mut events, is_foreign);
    assert!(stand.cluster.topology().writer().is_none());
    let wait = std::time::Duration::from_millis(100);
    let error = stand.cluster.wait_for_writer_blocking(wait).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoWriter);
    assert!(error.to_string().contains("belongs to another cluster"), "{error}");
    assert_eq!(rows(&theirs), 0);
}

#[test]
fn the_monitor_is_told_when_only_new_connections_lead_to_another_cluster() {
    let stand = Stand::with(PgCluster::builder().instances(2).behind_proxies(), "");
    stand.seed(ITEMS);
    let theirs = PgCluster::builder().start().unwrap();
    theirs.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let truth = direct(&stand.kit);
    stand.kit.proxy(0).set_target(theirs.address(0)).unwrap();
    let insert = diesel::insert_into(items::table).values(items::name.eq("a"));
    assert!(insert.execute(&mut stand.session()).is_err());
    stand.await_health(0, Health::Foreign);
    // Reads go on, and it is ours again when new connections lead to it again.
    items::table.count().get_result::<i64>(&mut stand.session()).unwrap();
    stand.kit.proxy(0).set_target(truth).unwrap();
    stand.await_writer(0);
    assert_eq!(insert.execute(&mut stand.session()), Ok(1));
    assert_eq!(rows(&theirs), 0);
}
