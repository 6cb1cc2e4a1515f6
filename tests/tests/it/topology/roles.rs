//! Who is the writer: failover, switchover, a writer that hangs.

use std::time::{Duration, Instant};

use aurora_core::{Event, Health, InstanceId, Role};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, events_until, eventually};
use diesel::connection::SimpleConnection as _;

fn is_health(event: &Event, id: &InstanceId, health: Health) -> bool {
    matches!(event, Event::HealthChanged { instance, to, .. } if instance == id && *to == health)
}

fn becomes_writer(event: &Event, id: &InstanceId) -> bool {
    matches!(event, Event::WriterChanged { to: Some(to), .. } if to == id)
}

fn place(events: &[Event], which: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(which).unwrap_or_else(|| panic!("not among {events:#?}"))
}

/// Every change of the writer begins where the one before ended.
fn assert_unbroken(events: &[Event], first: &InstanceId, last: &InstanceId) {
    let mut writer = Some(first.clone());
    for event in events {
        if let Event::WriterChanged { from, to } = event {
            assert_eq!(*from, writer, "{events:#?}");
            writer.clone_from(to);
        }
    }
    assert_eq!(writer.as_ref(), Some(last), "{events:#?}");
}

#[test]
fn a_failover_and_a_switchover_are_told_in_order() {
    let stand = Stand::new(3);
    let (one, two, three) = (stand.id(0), stand.id(1), stand.id(2));
    let epoch = stand.instance(0).epoch();
    let mut events = stand.cluster.events();
    stand.kit.kill_and_promote(1).unwrap();
    let seen = events_until(&mut events, |event| becomes_writer(event, &two));
    let lost = place(&seen, |event| is_health(event, &one, Health::Lost));
    let promoted = place(
        &seen,
        |event| matches!(event, Event::RoleChanged { instance, to: Role::Writer, .. } if *instance == two),
    );
    assert!(lost < promoted, "{seen:#?}");
    assert_unbroken(&seen, &one, &two);

    stand.kit.rejoin(0).unwrap();
    stand.await_readers(2);
    let old = stand.instance(0);
    assert_eq!((old.role(), old.health()), (Role::Reader, Health::Online));
    assert!(old.epoch() > epoch, "connections from before are out of use");

    let mut events = stand.cluster.events();
    stand.kit.switchover(2).unwrap();
    let seen = events_until(&mut events, |event| becomes_writer(event, &three));
    assert_unbroken(&seen, &two, &three);
    stand.await_readers(2);
    assert!(!events.try_next().is_some_and(|event| matches!(event, Event::Missed { .. })));
}

#[test]
fn a_writer_that_hangs_is_lost_in_time_and_comes_back() {
    let stand = Stand::new(2);
    let writer = stand.id(0);
    let mut events = stand.cluster.events();
    let begun = Instant::now();
    stand.kit.pause(0).unwrap();
    events_until(&mut events, |event| is_health(event, &writer, Health::Lost));
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_millis(3500), "declared lost after {elapsed:?}");
    assert!(stand.cluster.topology().writer().is_none());
    assert_eq!(stand.cluster.topology().readers().len(), 1, "reads go on");
    stand.kit.resume(0).unwrap();
    stand.await_writer(0);
    assert_eq!(stand.instance(0).health(), Health::Online);
}

#[test]
fn a_second_writer_is_fenced_until_it_is_a_reader() {
    let stand = Stand::new(3);
    // The old writer goes on, alone, in the old history.
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
fn a_reader_promoted_under_its_sessions_is_the_writer_in_a_new_epoch() {
    let stand = Stand::new(3);
    stand.seed(ITEMS);
    let read = || {
        (0..8).for_each(|_| stand.session().batch_execute("SELECT * FROM items").unwrap());
    };
    let [_, one, two] = stand.counting(read);
    assert!(one > 0 && two > 0, "both have sessions now");
    let (epoch, connects) = (stand.instance(1).epoch(), stand.instance(1).stats().connects());
    stand.kit.promote(1).unwrap();
    stand.await_writer(1);
    assert!(stand.instance(1).epoch() > epoch);
    // Its sessions go on and accept writes by now; they are not those of a reader any more.
    assert_eq!(stand.counting::<2>(read)[1], 0, "no read goes to the new writer");
    stand.session().batch_execute("INSERT INTO items (name) VALUES ('a')").unwrap();
    assert_eq!(stand.instance(1).stats().connects(), connects + 1, "over a new connection");
}

#[test]
fn an_old_writer_made_read_only_serves_no_reads() {
    let stand = Stand::new(3);
    stand.kit.set_setting(0, "default_transaction_read_only", "on").unwrap();
    stand.kit.promote(1).unwrap();
    stand.await_writer(1);
    stand.await_health(0, Health::Fenced);
    stand.await_readers(1);
}
