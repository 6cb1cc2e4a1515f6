use std::time::Duration;

use super::retire::LINGER;
use super::*;
use crate::topology::tests::instance;
use crate::topology::{Health, Role, Topology};

fn store() -> Store<&'static str> {
    Store::new(&Config::from_url("postgres://app@a/db?max_idle_per_instance=2").unwrap())
}

#[test]
fn the_last_one_returned_is_taken_first_and_the_surplus_closed_after_a_while() {
    let (store, now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    let topology = Topology::new(vec![a.clone()]);
    for name in ["one", "two", "three"] {
        store.put(Lease::new(name, &a, 0, now), now);
    }
    store.retire(&topology, now + LINGER - Duration::from_millis(1));
    assert_eq!(a.stats().connections(), 3, "the next wave may come at once");
    store.retire(&topology, now + LINGER);
    assert_eq!(a.stats().connections(), 2);
    let lease = store.take_at(&a, now).unwrap();
    assert_eq!((*lease, store.idle(a.id())), ("three", 1));
    drop(lease);
    assert_eq!(store.take_at(&a, now).as_deref(), Some(&"two"));
    assert_eq!((a.stats().connections(), a.stats().connects()), (0, 3));
}

#[test]
fn a_crowd_that_comes_and_goes_opens_its_connections_once() {
    let (store, mut now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    let topology = Topology::new(vec![a.clone()]);
    for _ in 0..20 {
        let take = |_| store.take_at(&a, now).unwrap_or_else(|| Lease::new("new", &a, 0, now));
        let crowd: Vec<_> = (0..64).map(take).collect();
        crowd.into_iter().for_each(|lease| store.put(lease, now));
        now += LINGER / 2;
        store.retire(&topology, now);
    }
    assert_eq!((a.stats().connects(), store.idle(a.id())), (64, 64));
    store.retire(&topology, now + LINGER);
    assert_eq!(store.idle(a.id()), 2);
}

#[test]
fn where_none_is_to_be_kept_each_is_closed_at_once() {
    let config = Config::from_url("postgres://app@a/db?max_idle_per_instance=0").unwrap();
    let (store, now) = (Store::new(&config), Instant::now());
    let a = instance("a", Role::Reader, None);
    store.put(Lease::new("one", &a, 0, now), now);
    assert_eq!((a.stats().connections(), store.idle(a.id())), (0, 0));
}

#[test]
fn one_that_its_server_has_ended_is_not_handed_out_after_a_pause() {
    let (store, now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    for (name, ended) in [("open", false), ("ended", true)] {
        let mut lease = Lease::new(name, &a, 0, now);
        lease.ended_when(move || ended);
        store.put(lease, now);
    }
    let soon = store.take_at(&a, now + PAUSE - Duration::from_nanos(1)).unwrap();
    assert_eq!(*soon, "ended", "nobody is asked at every statement");
    store.put(soon, now);
    assert_eq!(store.take_at(&a, now + PAUSE).as_deref(), Some(&"open"));
    assert_eq!(a.stats().connections(), 0, "the other one is closed");
}

#[test]
fn a_connection_of_an_old_epoch_is_never_handed_out() {
    let (store, now) = (store(), Instant::now());
    let mut a = instance("a", Role::Reader, None);
    store.put(Lease::new("old", &a, 0, now), now);
    a.epoch += 1;
    assert!(store.take_at(&a, now).is_none());
    assert_eq!(a.stats().connections(), 0);
}

#[test]
fn a_connection_that_was_overtaken_by_a_failover_is_known_by_its_epoch() {
    let mut a = instance("a", Role::Writer, None);
    let lease = Lease::new("just opened", &a, 0, Instant::now());
    assert!(lease.is_in_epoch(&Topology::new(vec![a.clone()])));
    a.epoch += 1;
    a.role = Role::Unknown;
    assert!(!lease.is_in_epoch(&Topology::new(vec![a])));
    assert!(!lease.is_in_epoch(&Topology::new(Vec::new())));
}

#[test]
fn when_one_connection_broke_the_idle_ones_are_in_doubt() {
    let (store, now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    let held = Lease::new("held", &a, a.stats().breaks(), now);
    store.put(Lease::new("idle", &a, a.stats().breaks(), now), now);
    a.stats().broke();
    assert!(store.take_at(&a, now).is_none());
    store.put(held, now);
    assert_eq!(store.idle(a.id()), 0);
}

#[test]
fn statements_on_a_lost_instance_are_ended_and_no_others() {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    let (store, now) = (store(), Instant::now());
    let (mut a, b) = (instance("a", Role::Writer, None), instance("b", Role::Reader, None));
    let ended = Arc::new(AtomicU32::new(0));
    let watch = |instance: &Instance| {
        let mut lease = Lease::new("held", instance, 0, now);
        let ended = Arc::clone(&ended);
        store.watch(&mut lease, move || _ = ended.fetch_add(1, Relaxed));
        lease
    };
    let (_on_a, _on_b) = (watch(&a), watch(&b));
    drop(watch(&a));
    a.epoch += 1;
    a.role = Role::Reader;
    store.retire(&Topology::new(vec![a.clone(), b.clone()]), now);
    assert_eq!(ended.load(Relaxed), 0, "a demoted instance still answers");
    a.health = Health::Lost;
    for _ in 0..2 {
        store.retire(&Topology::new(vec![a.clone(), b.clone()]), now);
    }
    assert_eq!(ended.load(Relaxed), 1);
}

#[test]
fn a_connection_that_has_served_since_is_in_no_doubt() {
    let (store, now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    let mut lease = Lease::new("used", &a, a.stats().breaks(), now);
    a.stats().broke();
    let began = a.stats().breaks();
    lease.prove(began);
    assert!(lease.is_current(&a));
    a.stats().broke();
    lease.prove(began);
    assert!(!lease.is_current(&a), "that one came after the statement had begun");
    store.put(lease, now);
    assert_eq!(store.idle(a.id()), 0);
}

#[test]
fn old_connections_are_not_used_and_are_swept_out() {
    let (store, now) = (store(), Instant::now());
    let a = instance("a", Role::Reader, None);
    store.put(Lease::new("idle", &a, 0, now), now);
    let later = now + Duration::from_secs(3600);
    store.retire(&Topology::new(vec![a.clone()]), now);
    assert_eq!(store.idle(a.id()), 1);
    store.retire(&Topology::new(vec![a.clone()]), later);
    assert_eq!(store.idle(a.id()), 0);
    store.put(Lease::new("idle", &a, 0, now), now);
    assert!(store.take_at(&a, later).is_none());
}
