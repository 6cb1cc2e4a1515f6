//! What the network does to a cluster of MariaDB, and what the library makes of it.

use std::num::NonZero;
use std::time::{Duration, Instant};

use aurora_core::session::Place;
use aurora_core::transaction::{Doubt, Evidence, MarkerId, MarkerTable};
use aurora_core::{ErrorKind, Health, Instance, Outcome, Role};
use aurora_tests::{LIMIT, eventually};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use test_kit::MariaDbCluster;
use test_kit::chaos::{Direction, Fault, Loss};

use super::stand::Stand;

/// How long a connection may take while there is a fault.
const SHORT: Duration = Duration::from_millis(500);

fn stand(instances: usize) -> Stand {
    let servers = MariaDbCluster::builder().instances(instances).behind_proxies();
    Stand::with(servers, "probe_interval=100ms&detection_time=1s")
}

/// Opens a connection and asks which server it leads to.
fn server(stand: &Stand, instance: &Instance, limit: Duration) -> Result<String, ErrorKind> {
    let asked = stand.open(instance, limit, async |mut conn: Conn| {
        conn.query_first::<String, _>("SELECT CONCAT(@@report_host, ':', @@port)").await
    });
    let told = asked.map_err(|error| {
        assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
        error.kind()
    });
    told.map(|answer| answer.unwrap().unwrap())
}

#[track_caller]
fn await_whole(stand: &Stand) {
    stand.await_writer(0);
    stand.await_readers(stand.kit.len() - 1);
    for index in 0..stand.kit.len() {
        let instance = stand.instance(index);
        assert_eq!(server(stand, &instance, LIMIT).as_deref(), Ok(stand.kit.name(index).as_str()));
    }
}

#[test]
fn a_writer_that_nobody_hears_is_lost_until_it_is_heard_again() {
    let stand = stand(2);
    for direction in [Direction::Both, Direction::ToClient, Direction::ToServer] {
        let known = stand.instance(0);
        stand.kit.proxy(0).set(Fault::Blackhole(direction)).unwrap();
        stand.await_health(0, Health::Lost);
        assert!(stand.cluster.topology().writer().is_none());
        assert_eq!(stand.cluster.topology().readers().len(), 1, "reads go on");
        assert_eq!(server(&stand, &known, SHORT), Err(ErrorKind::Deadline), "{direction:?}");
        stand.kit.proxy(0).heal().unwrap();
        await_whole(&stand);
        assert!(stand.instance(0).epoch() > known.epoch(), "its old connections are not trusted");
    }
}

#[test]
fn a_reader_that_nobody_hears_is_passed_over() {
    let stand = stand(3);
    stand.kit.proxy(2).set(Fault::Blackhole(Direction::Both)).unwrap();
    stand.await_health(2, Health::Lost);
    let topology = stand.cluster.topology();
    assert_eq!(topology.readers().len(), 1);
    assert_eq!(topology.writer().map(|writer| writer.id().clone()), Some(stand.id(0)));
    stand.kit.proxy(2).heal().unwrap();
    await_whole(&stand);
}

#[test]
fn who_lets_nobody_new_in_is_not_lost_while_it_answers() {
    let stand = stand(2);
    for (fault, expected) in
        [(Fault::Refuse, ErrorKind::ConnectionLost), (Fault::StallHandshake, ErrorKind::Deadline)]
    {
        let known = stand.instance(0);
        stand.kit.proxy(0).set(fault).unwrap();
        assert_eq!(server(&stand, &known, SHORT), Err(expected), "{fault:?}");
        stand.await_seen(0);
        stand.await_seen(0);
        let now = stand.instance(0);
        assert_eq!(
            (now.role(), now.health(), now.epoch()),
            (Role::Writer, Health::Online, known.epoch())
        );
        stand.kit.proxy(0).heal().unwrap();
        await_whole(&stand);
    }
}

#[test]
fn a_slow_network_condemns_nobody() {
    let stand = stand(2);
    let epoch = stand.instance(0).epoch();
    let slow =
        Fault::Latency { delay: Duration::from_millis(30), jitter: Duration::from_millis(10) };
    stand.kit.proxy(0).set(slow).unwrap();
    let narrow = Fault::Bandwidth { bytes_per_second: NonZero::new(20_000).unwrap() };
    stand.kit.proxy(1).set(narrow).unwrap();
    for _ in 0..5 {
        stand.await_seen(0);
        stand.await_seen(1);
        assert_eq!(stand.instance(0).health(), Health::Online);
    }
    await_whole(&stand);
    assert_eq!(stand.instance(0).epoch(), epoch);
}

#[test]
fn connections_that_break_are_made_anew() {
    let stand = stand(2);
    for break_off in
        [test_kit::chaos::ChaosProxy::reset_all, test_kit::chaos::ChaosProxy::half_close]
    {
        for index in [0, 1] {
            let epoch = stand.instance(index).epoch();
            break_off(&stand.kit.proxy(index));
            eventually("connections of before are not trusted", || {
                stand.instance(index).epoch() > epoch
            });
            await_whole(&stand);
        }
    }
}

/// A COMMIT of a marked transaction that meets silence in one direction, and then a reset: what is
/// found out about it.
fn commit_in_silence(stand: &Stand, direction: Direction) -> bool {
    let (table, id) = (MarkerTable::default(), MarkerId::random().unwrap());
    let writer = stand.instance(0);
    let committed = stand.open(&writer, LIMIT, async |mut conn: Conn| {
        conn.query_drop("BEGIN; INSERT INTO items VALUES ('new')").await.unwrap();
        conn.query_drop(stand.cluster.mark_sql(&table, id)).await.unwrap();
        stand.kit.proxy(0).set(Fault::Blackhole(direction)).unwrap();
        tokio::time::timeout(SHORT, conn.query_drop("COMMIT")).await.is_ok()
    });
    assert!(!committed.unwrap(), "its answer never arrives");
    // What is held back is gone with the connections.
    stand.kit.proxy(0).reset_all();
    stand.kit.proxy(0).heal().unwrap();
    let place = Place { instance: writer.id().clone(), epoch: writer.epoch(), role: Role::Writer };
    let doubt = Doubt { evidence: Evidence::Marker(table, id), place, sent_at: Instant::now() };
    stand.cluster.resolve_blocking(doubt, Instant::now() + LIMIT).unwrap()
}

#[test]
fn a_commit_whose_answer_or_whose_request_was_lost_is_resolved() {
    let stand = stand(2);
    stand.write("CREATE TABLE items (name VARCHAR(20))");
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    assert!(commit_in_silence(&stand, Direction::ToClient), "the answer was lost");
    assert!(!commit_in_silence(&stand, Direction::ToServer), "the request was lost");
    let rows = stand.kit.client(0).unwrap().column("SELECT name FROM items").unwrap();
    assert_eq!(rows, ["new"]);
}

#[test]
fn a_commit_that_was_the_last_deed_of_a_writer_is_found_on_the_next_one() {
    let stand = stand(3);
    stand.write("CREATE TABLE items (name VARCHAR(20))");
    let (table, id) = (MarkerTable::default(), MarkerId::random().unwrap());
    stand.cluster.create_marker_table_blocking(&table).unwrap();
    let writer = stand.instance(0);
    let lost = stand.kit.proxy(0).swallow_commit_reply(Loss::Silence);
    let committed = stand.open(&writer, LIMIT, async |mut conn: Conn| {
        conn.query_drop("BEGIN; INSERT INTO items VALUES ('new')").await.unwrap();
        conn.query_drop(stand.cluster.mark_sql(&table, id)).await.unwrap();
        let commit = conn.query_drop("COMMIT");
        let answer = tokio::time::timeout(SHORT, commit).await;
        answer.is_ok()
    });
    assert!(!committed.unwrap() && lost.wait(LIMIT));
    stand.kit.kill_and_promote(1).unwrap();
    let place = Place { instance: writer.id().clone(), epoch: writer.epoch(), role: Role::Writer };
    let doubt = Doubt { evidence: Evidence::Marker(table, id), place, sent_at: Instant::now() };
    assert!(stand.cluster.resolve_blocking(doubt, Instant::now() + LIMIT).unwrap());
    stand.await_writer(1);
    let rows = stand.kit.client(1).unwrap().column("SELECT name FROM items").unwrap();
    assert_eq!(rows, ["new"]);
}
