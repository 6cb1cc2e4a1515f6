//! A program runs for years: what the engine keeps does not grow with what has happened.

use super::server::{Server, listed, suggested};
use super::world::World;
use super::{defaults, secs};
use crate::engine::FailureKind;
use crate::topology::{Health, Role};

/// How many failovers, and changes of members.
const ROUNDS: usize = 10_000;

/// How many things the engine keeps, whatever they are.
fn kept(world: &World) -> [usize; 4] {
    let engine = &world.engine;
    let texts = engine.members.iter().filter_map(|member| member.last_error.as_deref());
    [engine.members.len(), engine.aliases.len(), engine.samples.len(), texts.map(str::len).sum()]
}

/// What the world remembers for the tests is no part of the engine.
fn forget(world: &mut World) {
    world.events.clear();
    world.snapshots.clear();
    world.probes.clear();
}

#[test]
fn ten_thousand_failovers_leave_the_engine_as_it_was() {
    let mut world = World::postgres();
    let hosts = ["a", "b", "c"];
    let mut most = [0; 4];
    let before = kept(&world);
    for round in 0..ROUNDS {
        let (old, new) = (hosts[round % 3], hosts[(round + 1) % 3]);
        // A crash, or an orderly switchover.
        if round % 2 == 0 {
            world.crash(old);
            world.until(secs(1), |w| w.is(old, Role::Writer, Health::Lost));
        } else {
            world.hang_up(old);
        }
        let server = world.server(old);
        server.rejoin();
        server.process = format!("run {round} of {old}");
        world.server(new).promote(round as u64 + 2);
        world.until(secs(2), |w| w.writer() == Some(new) && w.topology().readers().len() == 2);
        let now = kept(&world);
        most = std::array::from_fn(|index| most[index].max(now[index]));
        forget(&mut world);
    }
    // The window of samples fills; nothing else is more than at the start.
    assert_eq!((most[0], most[1]), (before[0], before[1]));
    assert!(most[2] <= 512 && most[3] <= 200, "{most:?}");
    assert!(world.instance("a").epoch() >= ROUNDS as u64 / 3, "they were failovers");
}

#[test]
fn names_that_come_and_go_are_forgotten() {
    let mut settings = defaults();
    settings.instance_host_pattern = "?".parse().ok();
    let mut world = World::seeded(settings, &["a"], 1);
    for (ip, host) in (1..).zip(["a", "b"]) {
        world.serve(host, Server::aurora(host, ip));
    }
    world.server("a").promote(1);
    let mut most = [0; 4];
    for round in 0..ROUNDS / 20 {
        // A reader that is scaled in and out again, each time with another name.
        let name = format!("r{round}");
        world.server("a").members = listed(&["a", "b", &name]);
        world.advance(secs(3));
        world.server("a").members = listed(&["a", "b"]);
        world.until(secs(60), |w| w.topology().instances().len() == 2);
        let now = kept(&world);
        most = std::array::from_fn(|index| most[index].max(now[index]));
        forget(&mut world);
    }
    assert!(most[0] <= 4 && most[1] <= 4, "{most:?}");
}

#[test]
fn second_names_of_an_instance_that_come_and_go_are_forgotten() {
    let mut world = World::postgres();
    let mut most = [0; 4];
    for round in 0..ROUNDS / 20 {
        // The writer sees its readers at addresses that change, as behind a translation.
        let name = format!("second{round}");
        world.dns.insert(name.clone(), "b");
        world.server("a").members = suggested(&["b", &name]);
        world.advance(secs(3));
        world.dns.remove(&name);
        world.server("a").members = suggested(&["b"]);
        world.advance(secs(3));
        let now = kept(&world);
        most = std::array::from_fn(|index| most[index].max(now[index]));
        forget(&mut world);
    }
    assert!(most[0] <= 5, "{most:?}");
    assert!(most[1] <= 64, "{most:?}");
    assert!(world.is("b", Role::Reader, Health::Online));
    world.server("b").state = super::server::State::Fails(FailureKind::Refused);
    world.until(secs(20), |w| w.is("b", Role::Reader, Health::Lost));
}
