//! When freshness alone is not shown with every answer: where others come with it, and in clusters
//! of more instances than Aurora has.

use std::time::Instant;

use super::server::Server;
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{Input, Output};
use crate::topology::Topology;

const HOSTS: [&str; 20] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t",
];
/// Half a millisecond for each.
const PAUSE: u64 = 10;

fn world() -> World {
    let mut world = World::seeded(defaults(), &HOSTS, 1);
    for (ip, host) in (1..).zip(HOSTS) {
        world.serve(host, Server::postgres(ip));
    }
    world.server("a").promote(1);
    world.advance(secs(3));
    assert_eq!(world.writer(), Some("a"));
    world
}

/// The writer has written, and everybody has it.
fn moved(world: &mut World, position: u64) {
    for host in HOSTS {
        world.server(host).position = Some(position);
    }
}

fn freshest(topology: &Topology) -> Option<Instant> {
    topology.readers().first().and_then(crate::topology::Instance::fresh_as_of)
}

#[test]
fn freshness_is_shown_in_a_moment_and_not_with_every_answer() {
    let mut world = world();
    world.snapshots.clear();
    let asked = world.probes.len();
    for n in 0..20 {
        moved(&mut world, 200 + n);
        world.advance(secs(1));
        let age = world.now - freshest(&world.topology()).unwrap();
        assert!(age <= ms(2 * 750 + PAUSE + 10), "{age:?}");
    }
    let answers = world.probes.len() - asked;
    assert!(answers > 400, "{answers}");
    for pair in world.snapshots.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= ms(PAUSE), "{:?}", pair[1].0 - pair[0].0);
    }
}

#[test]
fn what_was_put_off_is_shown_without_another_answer() {
    let mut world = world();
    while !world.engine.is_behind() {
        let next = world.next().unwrap();
        world.advance((next - world.now).max(ms(1)));
    }
    let wake = world.engine.next_wake().unwrap();
    assert!(wake <= world.now + ms(PAUSE), "{:?}", wake - world.now);
    let mut out = Vec::new();
    world.engine.handle(world.now + ms(PAUSE), Input::Tick, &mut out);
    assert!(out.iter().any(|output| matches!(output, Output::Publish(_))), "{out:?}");
    assert!(!world.engine.is_behind());
}

#[test]
fn what_somebody_waits_for_is_shown_at_once() {
    let mut world = world();
    moved(&mut world, 300);
    let required = world.now;
    world.handle(Input::Wanted { required });
    world.until(ms(5), |world| freshest(&world.topology()) >= Some(required));
}

#[test]
fn what_was_put_off_is_shown_to_who_comes_to_wait() {
    let mut world = world();
    while !world.engine.is_behind() {
        let next = world.next().unwrap();
        world.advance((next - world.now).max(ms(1)));
    }
    let mut out = Vec::new();
    world.engine.catch_up(world.now, &mut out);
    assert!(matches!(out.as_slice(), [Output::Publish(_)]), "{out:?}");
    world.engine.catch_up(world.now, &mut out);
    assert_eq!(out.len(), 1, "once");
}

#[test]
fn a_change_is_shown_at_once() {
    let mut world = world();
    let before = world.topology().generation();
    world.crash("b");
    assert!(world.topology().generation() > before, "suspect");
    world.crash("a");
    world.server("c").promote(2);
    world.until(ms(30), |world| world.writer() == Some("c"));
}

#[test]
fn answers_that_come_together_are_shown_together() {
    let mut world = World::postgres();
    world.advance(secs(3));
    (world.probes, world.snapshots) = (Vec::new(), Vec::new());
    for n in 0..20 {
        for host in ["a", "b", "c"] {
            world.server(host).position = Some(200 + n);
        }
        world.advance(secs(1));
    }
    // Of a writer and two readers asked as one.
    let (answers, shown) = (world.probes.len(), world.snapshots.len());
    assert!(answers > 70 && shown * 3 <= answers * 2, "{answers} {shown}");
    assert!(!world.engine.is_behind());
    assert!(freshest(&world.topology()) >= Some(world.now - secs(1)));
}
