//! Who is the writer: failover, switchover, a writer that hangs.

use aurora_core::{Event, Health, InstanceId, Role};
use aurora_tests::{events_until, eventually};

use super::stand::Stand;

fn is_health(event: &Event, id: &InstanceId, health: Health) -> bool {
    matches!(event, Event::HealthChanged { instance, to, .. } if instance == id && *to == health)
}

fn becomes_writer(event: &Event, id: &InstanceId) -> bool {
    matches!(event, Event::WriterChanged { to: Some(to), .. } if to == id)
}

#[test]
fn the_topology_is_the_one_that_is_there() {
    let stand = Stand::new(3);
    let topology = stand.cluster.topology();
    assert_eq!(topology.writer().map(|writer| writer.id().clone()), Some(stand.id(0)));
    assert_eq!(topology.instances().len(), 3);
    for index in [1, 2] {
        let reader = stand.instance(index);
        assert_eq!((reader.role(), reader.health()), (Role::Reader, Health::Online));
    }
    let status = stand.cluster.status().to_string();
    assert!(status.contains(stand.id(0).as_str()), "{status}");
}

#[test]
fn a_failover_and_a_switchover_are_told_in_order() {
    let stand = Stand::new(3);
    let (one, two, three) = (stand.id(0), stand.id(1), stand.id(2));
    let epoch = stand.instance(0).epoch();
    let mut events = stand.cluster.events();
    stand.kit.kill_and_promote(1).unwrap();
    let seen = events_until(&mut events, |event| becomes_writer(event, &two));
    let lost = seen.iter().position(|event| is_health(event, &one, Health::Lost));
    let promoted = seen.iter().position(
        |event| matches!(event, Event::RoleChanged { instance, to: Role::Writer, .. } if *instance == two),
    );
    assert!(lost.is_some() && lost < promoted, "{seen:#?}");

    stand.kit.rejoin(0).unwrap();
    stand.await_readers(2);
    let old = stand.instance(0);
    assert_eq!((old.role(), old.health()), (Role::Reader, Health::Online));
    assert!(old.epoch() > epoch, "connections from before are out of use");

    let mut events = stand.cluster.events();
    stand.kit.switchover(2).unwrap();
    events_until(&mut events, |event| becomes_writer(event, &three));
    stand.await_readers(2);
    assert_eq!(stand.instance(1).role(), Role::Reader);
}

#[test]
fn a_writer_that_hangs_is_lost_and_comes_back() {
    let stand = Stand::new(2);
    let writer = stand.id(0);
    let mut events = stand.cluster.events();
    stand.kit.pause(0).unwrap();
    events_until(&mut events, |event| is_health(event, &writer, Health::Lost));
    assert!(stand.cluster.topology().writer().is_none());
    assert_eq!(stand.cluster.topology().readers().len(), 1, "reads go on");
    stand.kit.resume(0).unwrap();
    stand.await_writer(0);
    assert_eq!(stand.instance(0).health(), Health::Online);
}

#[test]
fn a_reader_that_is_killed_is_lost_and_comes_back() {
    let stand = Stand::new(3);
    let epoch = stand.instance(2).epoch();
    stand.kit.kill(2).unwrap();
    stand.await_health(2, Health::Lost);
    stand.await_readers(1);
    stand.kit.start(2).unwrap();
    stand.await_readers(2);
    assert!(stand.instance(2).epoch() > epoch);
    eventually("the writer stayed", || {
        stand.cluster.topology().writer().is_some_and(|writer| *writer.id() == stand.id(0))
    });
}

#[test]
fn a_second_writer_is_fenced_until_it_is_a_reader() {
    let stand = Stand::new(3);
    // The old writer goes on, alone, in a history of its own.
    stand.kit.promote(1).unwrap();
    stand.await_writer(1);
    stand.await_health(0, Health::Fenced);
    let error = stand.instance(0);
    assert!(error.last_error().is_some_and(|text| text.contains("rejoin it")), "{error:?}");
    stand.kit.rejoin(0).unwrap();
    eventually("it serves reads", || {
        let instance = stand.instance(0);
        (instance.role(), instance.health()) == (Role::Reader, Health::Online)
    });
    stand.await_writer(1);
}

#[test]
fn an_old_writer_that_comes_back_is_fenced_even_when_the_new_one_dies() {
    let stand = Stand::new(3);
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    stand.write("INSERT INTO t VALUES (1)");
    stand.await_seen(1);
    // It starts as the writer that it was.
    stand.kit.start(0).unwrap();
    stand.await_health(0, Health::Fenced);
    stand.kit.kill(1).unwrap();
    stand.await_health(1, Health::Lost);
    assert!(stand.cluster.topology().writer().is_none(), "what is written there would be lost");
    stand.kit.start(1).unwrap();
    stand.await_writer(1);
    assert_eq!(stand.instance(0).health(), Health::Fenced);
}

#[test]
fn a_switchover_and_back_without_a_write_between() {
    let stand = Stand::new(3);
    for to in [1, 0, 2, 0] {
        stand.kit.switchover(to).unwrap();
        stand.await_writer(to);
        stand.await_readers(2);
    }
}
