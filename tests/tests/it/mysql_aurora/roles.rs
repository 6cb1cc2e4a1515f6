//! Names, roles and lags, and how they change.

use std::time::{Duration, Instant};

use aurora_core::session::Place;
use aurora_core::transaction::{Doubt, Evidence, MarkerId, MarkerTable};
use aurora_core::{CausalToken, ErrorKind, Event, Health, Role};
use aurora_tests::{LIMIT, events_until, eventually};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use test_kit::MariaDbCluster;
use test_kit::chaos::{Direction, Fault};

use crate::mysql_core::stand::Stand;

fn stand(instances: usize) -> Stand {
    let servers = MariaDbCluster::builder().instances(instances).aurora(true);
    let stand = Stand::with(servers, "probe_interval=100ms&detection_time=1s");
    eventually("the topology is complete", || stand.cluster.status().degraded.is_none());
    stand
}

#[test]
fn instances_have_the_names_roles_and_lags_they_report() {
    let stand = stand(3);
    // Only Aurora's words give an instance a name.
    assert_eq!(stand.instance(0).id().as_str(), "instance-1");
    assert_eq!(stand.instance(0).role(), Role::Writer);
    assert_eq!(stand.instance(1).role(), Role::Reader);
    assert_eq!(stand.cluster.topology().instances().len(), 3);
    // Unknown is not zero, and nobody is fresh by it.
    assert_eq!((stand.instance(2).lag(), stand.instance(2).fresh_as_of()), (None, None));
    stand.kit.tell_lag(1, Some(Duration::from_millis(20))).unwrap();
    let before = Instant::now();
    eventually("the lag is known", || stand.instance(1).lag() == Some(Duration::from_millis(20)));
    eventually("freshness is measured by it", || stand.instance(1).fresh_as_of() > Some(before));
    assert_eq!(stand.instance(2).fresh_as_of(), None);
}

#[test]
fn failover_and_switchover_are_followed_in_order() {
    let stand = stand(3);
    let epoch = stand.instance(0).epoch();
    let mut events = stand.cluster.events();
    stand.kit.kill_and_promote(2).unwrap();
    let to = stand.id(2);
    let seen = events_until(
        &mut events,
        |event| matches!(event, Event::WriterChanged { to: Some(writer), .. } if *writer == to),
    );
    let lost = |event: &Event| matches!(event, Event::HealthChanged { to: Health::Lost, .. });
    assert!(seen.iter().any(lost), "{seen:#?}");
    stand.kit.rejoin(0).unwrap();
    stand.await_readers(2);
    assert_eq!(stand.instance(0).role(), Role::Reader);
    assert!(stand.instance(0).epoch() > epoch);
    stand.kit.switchover(1).unwrap();
    stand.await_writer(1);
    stand.await_readers(2);
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}

#[test]
fn a_connection_to_a_writer_of_before_is_not_handed_out() {
    let stand = stand(2);
    let known = stand.instance(0);
    let opened = stand.open(&known, LIMIT, async |mut conn: Conn| {
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await
    });
    opened.unwrap().unwrap();
    stand.kit.switchover(1).unwrap();
    let refused = stand.open(&known, LIMIT, async |_| ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly, "{refused}");
    stand.await_writer(1);
    let opened = stand.open(&stand.instance(1), LIMIT, async |mut conn: Conn| {
        conn.query_drop("INSERT INTO t VALUES (1)").await
    });
    opened.unwrap().unwrap();
}

#[test]
fn a_writer_that_nobody_hears_is_lost_and_comes_back() {
    let stand = stand(3);
    stand.kit.proxy(0).set(Fault::Blackhole(Direction::Both)).unwrap();
    stand.await_health(0, Health::Lost);
    assert!(stand.cluster.topology().writer().is_none(), "the readers still name it");
    stand.kit.proxy(0).heal().unwrap();
    stand.await_writer(0);
    stand.await_readers(2);
}

#[test]
fn a_removed_reader_is_lost_at_once() {
    let stand = stand(3);
    stand.kit.remove_reader(2).unwrap();
    stand.await_health(2, Health::Lost);
    assert_eq!(stand.cluster.topology().readers().len(), 1);
}

#[test]
fn a_commit_in_doubt_is_resolved_on_the_new_writer() {
    let stand = stand(3);
    let (table, id) = (MarkerTable::default(), MarkerId::random().unwrap());
    stand.cluster.create_marker_table_blocking(&table).unwrap();
    let mark = stand.cluster.mark_sql(&table, id);
    stand.write(&format!("BEGIN; {mark}; COMMIT"));
    let place = Place { instance: stand.id(0), epoch: 1, role: Role::Writer };
    stand.kit.kill_and_promote(1).unwrap();
    let found = |id| {
        let evidence = Evidence::Marker(table.clone(), id);
        let doubt = Doubt { evidence, place: place.clone(), sent_at: Instant::now() };
        stand.cluster.resolve_blocking(doubt, Instant::now() + LIMIT)
    };
    assert!(found(id).unwrap());
    assert!(!found(MarkerId::random().unwrap()).unwrap());
}

#[test]
fn there_are_no_tokens_and_it_is_said_at_once() {
    let stand = stand(1);
    let until = Instant::now() + Duration::from_secs(3600);
    let error = stand.cluster.token_blocking(Some(Instant::now()), until).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    let token: CausalToken = "AQICNzEBMlqsAiisQ1I".parse().unwrap();
    let error = stand.cluster.redeem_blocking(&token, until).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}
