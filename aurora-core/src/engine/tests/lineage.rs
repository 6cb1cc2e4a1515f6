//! Old writers of MySQL and MariaDB, which have no timeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::server::Server;
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::Lineage;
use crate::topology::{Ended, Health, Reign, Role};

/// The transactions of a server: the last of every origin.
fn lineage(own: &str, last: &[(&str, u64)], is_one_sequence: bool) -> Option<Lineage> {
    let last: BTreeMap<Arc<str>, u64> = last.iter().map(|(o, n)| (Arc::from(*o), *n)).collect();
    Some(Lineage { own: Arc::from(own), last, is_one_sequence })
}

/// "a" writes, "b" and "c" follow it.
fn world(is_one_sequence: bool) -> World {
    let mut world = World::new(defaults(), &["a", "b", "c"]);
    for (ip, host) in (1..).zip(["a", "b", "c"]) {
        let server = Server { cluster: None, ..Server::postgres(ip) };
        let lineage = lineage(host, &[("a", 100)], is_one_sequence);
        world.serve(host, Server { lineage, writes: host == "a", ..server });
    }
    world.advance(secs(3));
    assert_eq!(world.writer(), Some("a"));
    world
}

fn has(world: &mut World, host: &str, last: &[(&str, u64)]) {
    let is_one_sequence = world.server(host).lineage.as_ref().is_some_and(|l| l.is_one_sequence);
    world.server(host).lineage = lineage(host, last, is_one_sequence);
}

/// "a" dies with transactions that nobody has, and "b" is promoted and writes.
fn failed_over(is_one_sequence: bool) -> World {
    let mut world = world(is_one_sequence);
    has(&mut world, "a", &[("a", 105)]);
    world.advance(secs(2));
    world.crash("a");
    world.server("b").writes = true;
    world.until(secs(1), |w| w.writer() == Some("b"));
    for host in ["b", "c"] {
        has(&mut world, host, &[("a", 100), ("b", if is_one_sequence { 110 } else { 10 })]);
    }
    world.advance(secs(2));
    world
}

#[test]
fn a_promotion_counts_although_it_lost_transactions() {
    for is_one_sequence in [true, false] {
        let mut world = failed_over(is_one_sequence);
        assert_eq!(world.writer(), Some("b"));
        // And the next one, of a reader that has not all of the writer before.
        has(&mut world, "c", &[("a", 100), ("b", if is_one_sequence { 108 } else { 8 })]);
        world.advance(secs(2));
        world.crash("b");
        world.server("c").writes = true;
        world.until(secs(1), |w| w.writer() == Some("c"));
    }
}

#[test]
fn an_old_writer_that_comes_back_is_fenced() {
    for is_one_sequence in [true, false] {
        let mut world = failed_over(is_one_sequence);
        world.server("a").restart();
        world.until(secs(2), |w| w.is("a", Role::Unknown, Health::Fenced));
        world.advance(secs(30));
        assert_eq!(world.writer(), Some("b"));
        // Also when the writer dies.
        world.crash("b");
        world.advance(secs(60));
        assert!(world.topology().writer().is_none(), "writes of a would be lost");
        assert!(world.is("a", Role::Unknown, Health::Fenced));
        world.server("b").restart();
        world.until(secs(2), |w| w.writer() == Some("b"));
        // As a reader of the new history it is welcome.
        world.server("a").writes = false;
        let last = world.server("b").lineage.clone().unwrap();
        world.server("a").lineage = Some(Lineage { own: Arc::from("a"), ..last });
        world.server("a").restart();
        world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
    }
}

#[test]
fn a_writer_that_goes_on_beside_the_promoted_one_is_fenced() {
    let mut world = world(true);
    has(&mut world, "a", &[("a", 105)]);
    world.server("b").writes = true;
    world.until(secs(2), |w| w.writer() == Some("b"));
    assert!(world.is("a", Role::Unknown, Health::Fenced));
    // It restarts, and has more than the writer, which has written nothing yet.
    world.crash("a");
    world.advance(secs(5));
    world.server("a").restart();
    world.until(secs(2), |w| w.is("a", Role::Unknown, Health::Fenced));
    assert_eq!(world.writer(), Some("b"));
}

#[test]
fn a_switchover_and_back_without_a_write_between_is_no_return() {
    for is_one_sequence in [true, false] {
        let mut world = world(is_one_sequence);
        world.server("a").writes = false;
        world.server("b").writes = true;
        world.until(secs(2), |w| w.writer() == Some("b"));
        world.server("b").writes = false;
        world.server("a").writes = true;
        world.until(secs(2), |w| w.writer() == Some("a"));
        world.until(secs(2), |w| w.is("b", Role::Reader, Health::Online));
    }
}

#[test]
fn whoever_is_asked_first_the_later_writer_wins() {
    for (hosts, is_one_sequence) in
        [(["a", "b"], true), (["b", "a"], true), (["a", "b"], false), (["b", "a"], false)]
    {
        let mut world = World::new(defaults(), &hosts);
        for (at, host) in (0..).zip(hosts) {
            let latency = ms(5 + 20 * at);
            let server =
                Server { cluster: None, writes: true, latency, ..Server::postgres(at as u8 + 1) };
            world.serve(host, server);
        }
        world.server("a").lineage = lineage("a", &[("a", 105)], is_one_sequence);
        let written = if is_one_sequence { 110 } else { 10 };
        world.server("b").lineage = lineage("b", &[("a", 100), ("b", written)], is_one_sequence);
        world.advance(secs(2));
        assert_eq!(world.writer(), Some("b"), "{hosts:?} {is_one_sequence}");
        assert!(world.is("a", Role::Unknown, Health::Fenced));
    }
}

#[test]
fn a_writer_that_crashed_and_lost_its_last_writes_is_the_writer_again() {
    let mut world = world(true);
    world.crash("a");
    world.advance(secs(5));
    has(&mut world, "a", &[("a", 90)]);
    world.server("a").restart();
    world.until(secs(2), |w| w.writer() == Some("a"));
}

#[test]
fn a_reader_that_has_what_the_writer_never_had_shows_nothing_fresh() {
    let mut world = failed_over(true);
    let fresh = |world: &World, host: &str| world.instance(host).fresh_as_of();
    assert!(fresh(&world, "c").is_some());
    // What the old writer had more than the new one; what somebody wrote to the reader itself.
    for strange in [[("a", 105), ("b", 110)], [("b", 110), ("c", 1)]] {
        has(&mut world, "c", &strange);
        world.advance(secs(2));
        assert_eq!(fresh(&world, "c"), None, "{strange:?}");
        // What began at the writer itself may be newer than what is known of the writer.
        has(&mut world, "c", &[("a", 100), ("b", 111)]);
        world.advance(secs(2));
        assert!(fresh(&world, "c").is_some());
    }
}

#[test]
fn an_old_writer_that_was_a_reader_since_may_be_promoted_again_although_it_lost_transactions() {
    for is_one_sequence in [true, false] {
        let mut world = failed_over(is_one_sequence);
        let missing = if is_one_sequence { 108 } else { 8 };
        has(&mut world, "a", &[("a", 100), ("b", missing)]);
        world.server("a").writes = false;
        world.server("a").restart();
        world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
        world.crash("b");
        world.server("a").writes = true;
        world.until(secs(1), |w| w.writer() == Some("a"));
    }
}

fn reign(origin: &str, began: u64) -> Reign {
    Reign { origin: origin.into(), began }
}

fn reigns(world: &World) -> Option<Reign> {
    world.topology().sampled.as_ref().and_then(|sampled| sampled.reign.clone())
}

#[test]
fn what_the_new_writer_had_of_the_old_reign_survived() {
    // Where all number in one sequence, the new writer's own first number tells it exactly.
    for (is_one_sequence, certain) in [(true, 103), (false, 100)] {
        let mut world = world(is_one_sequence);
        assert_eq!(reigns(&world), Some(reign("a", 0)));
        has(&mut world, "a", &[("a", 105)]);
        world.server("a").position = Some(105);
        world.advance(secs(2));
        world.crash("a");
        has(&mut world, "b", &[("a", 103)]);
        let heir = world.server("b");
        (heir.position, heir.writes) = (Some(103), true);
        world.until(secs(1), |w| w.writer() == Some("b"));
        let known = Ended { reign: reign("a", 0), position: certain };
        assert_eq!(*world.topology().ended, [known]);
        assert_eq!(reigns(&world), Some(reign("b", 103)));
    }
}

#[test]
fn a_switchover_and_back_without_a_write_ends_no_reign() {
    for is_one_sequence in [true, false] {
        let mut world = world(is_one_sequence);
        for (from, to) in [("a", "b"), ("b", "a")] {
            world.server(from).writes = false;
            world.server(to).writes = true;
            world.until(secs(2), |w| w.writer() == Some(to));
            world.advance(secs(3));
        }
        assert_eq!(reigns(&world), Some(reign("a", 0)));
        let known = Ended { reign: reign("b", 100), position: 100 };
        assert_eq!(*world.topology().ended, [known]);
    }
}

#[test]
fn of_a_writer_that_nobody_saw_follow_nothing_is_known_to_survive() {
    let mut world = world(true);
    world.crash("b");
    world.advance(secs(5));
    world.server("b").restart();
    world.server("b").writes = true;
    has(&mut world, "b", &[("a", 100), ("b", 110)]);
    world.crash("a");
    world.until(secs(5), |w| w.writer() == Some("b"));
    assert_eq!(*world.topology().ended, []);
}
