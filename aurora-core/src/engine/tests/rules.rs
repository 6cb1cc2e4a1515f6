//! The rules of the engine, one test each, named after the rule.

use super::server::{Server, State, listed, suggested};
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{Complaint, FailureKind, Members};
use crate::event::Event;
use crate::topology::{Health, Role};

#[test]
fn only_an_instances_own_word_changes_its_role() {
    let mut world = aurora(&["a", "b", "c"]);
    // b and c, and even a's own list, say that b is the writer. a and b do not say so of themselves.
    for name in ["a", "b", "c"] {
        world.server(name).members = listed(&["b", "a", "c"]);
    }
    world.advance(secs(5));
    assert_eq!(world.writer(), Some("a"));
    assert!(world.is("b", Role::Reader, Health::Online));
    // Its own word does.
    world.server("b").writes = true;
    world.server("a").writes = false;
    world.advance(secs(3));
    assert_eq!(world.writer(), Some("b"));
    assert!(world.is("a", Role::Reader, Health::Online));
}

#[test]
fn at_most_one_writer_per_generation() {
    // That there are never two is checked after every step of every test.
    let mut world = World::postgres();
    for host in ["a", "b", "c"] {
        world.server(host).promote(2);
    }
    world.advance(secs(5));
    let topology = world.topology();
    let roles = |role| topology.instances().iter().filter(|i| i.role() == role).count();
    assert_eq!((roles(Role::Writer), roles(Role::Unknown)), (1, 2));
    let fenced = topology.instances().iter().filter(|i| i.health() == Health::Fenced).count();
    assert_eq!(fenced, 2);
}

#[test]
fn a_refused_write_is_a_hint_not_proof() {
    let mut world = World::postgres();
    let (before, asked) = (world.topology(), world.asked("a", ms(1)));
    let epoch = world.instance("a").epoch();
    world.complain("a:5432", epoch, Complaint::WrongRole);
    assert_eq!(world.writer(), Some("a"), "it stays in use while it is asked");
    world.advance(ms(20));
    assert!(world.asked("a", ms(21)) > asked, "it is asked at once");
    assert_eq!(world.topology().generation(), before.generation());
    // Where the hint is right, its own word follows at once.
    world.server("a").writes = false;
    world.advance(secs(1));
    world.complain("a:5432", epoch, Complaint::WrongRole);
    world.advance(ms(20));
    assert!(world.is("a", Role::Reader, Health::Online));
}

#[test]
fn without_self_evidence_there_is_no_writer() {
    let mut world = World::new(defaults(), &["a", "b"]);
    world.serve("a", Server { state: State::Fails(FailureKind::NotReady), ..Server::postgres(1) });
    world.serve("b", Server::postgres(2));
    world.advance(secs(5));
    assert_eq!(world.topology().writer().map(|w| w.id().clone()), None);
    assert_eq!(world.topology().readers().len(), 1, "reads go on");
    world.server("a").state = State::Up;
    world.server("a").promote(1);
    world.advance(secs(2));
    assert_eq!(world.writer(), Some("a"));
}

#[test]
fn a_bad_answer_never_shrinks_what_is_known() {
    let bad = [
        Members::Listed(Vec::new()),
        listed(&["b"]),
        listed(&["", "a"]),
        Members::Refused("GRANT it".into()),
        nobody_writes(),
    ];
    for answer in bad {
        let mut world = aurora(&["a", "b", "c"]);
        for name in ["a", "b", "c"] {
            world.server(name).members = answer.clone();
        }
        // Even when one of them is gone meanwhile.
        world.crash("c");
        world.advance(secs(30));
        let topology = world.topology();
        assert_eq!(topology.instances().len(), 3, "{answer:?}");
        assert_eq!(world.writer(), Some("a"));
        assert!(topology.degraded().is_some());
        let announced = |event: &Event| matches!(event, Event::TopologyDegraded { .. });
        assert_eq!(world.events.iter().filter(|(_, event)| announced(event)).count(), 1);
        for name in ["a", "b", "c"] {
            world.server(name).members = listed(&["a", "b", "c"]);
        }
        world.advance(secs(3));
        assert_eq!(world.topology().degraded(), None);
        assert_eq!(world.events.last().map(|(_, event)| event), Some(&Event::TopologyRestored));
    }
}

fn nobody_writes() -> Members {
    let Members::Listed(mut rows) = listed(&["a", "b", "c"]) else { unreachable!() };
    rows.iter_mut().for_each(|row| row.is_writer = false);
    Members::Listed(rows)
}

#[test]
fn unknown_lag_is_not_zero_lag() {
    let mut world = World::postgres();
    world.server("b").position = None;
    world.server("b").lag = None;
    world.server("b").restart();
    world.hang_up("b");
    world.advance(secs(5));
    let b = world.instance("b");
    assert_eq!((b.lag(), b.fresh_as_of()), (None, None));
    assert!(world.topology().readers_fresh_as_of(world.start).iter().all(|r| r.id() != b.id()));
    // It serves reads that ask for no freshness.
    assert_eq!(world.topology().readers().len(), 2);
}

#[test]
fn generation_rises_on_membership_role_health_or_epoch_never_for_lag() {
    let mut world = World::postgres();
    let mut generation = world.topology().generation();
    // Lag and positions: for a minute.
    for n in 0..60 {
        world.server("a").position = Some(100 + n * 10);
        world.server("b").position = Some(100 + n);
        world.server("b").lag = Some(ms(n));
        world.advance(secs(1));
    }
    assert_eq!(world.topology().generation(), generation);
    let mut has_risen = |world: &World| {
        let before = std::mem::replace(&mut generation, world.topology().generation());
        generation > before
    };
    world.server("a").members = suggested(&["d"]);
    world.advance(secs(2));
    assert!(has_risen(&world), "membership");
    world.crash("c");
    world.advance(secs(1));
    assert!(has_risen(&world), "health");
    let epoch = world.instance("b").epoch();
    world.server("b").restart();
    world.advance(secs(2));
    assert!(has_risen(&world), "epoch");
    assert!(world.instance("b").epoch() > epoch);
    world.server("a").writes = false;
    world.advance(secs(2));
    assert!(has_risen(&world), "role");
}

#[test]
fn time_and_jitter_are_arguments() {
    let story = |seed| {
        let mut world = World::seeded(defaults(), &["a", "b"], seed);
        world.serve("a", Server { timeline: Some(1), writes: true, ..Server::postgres(1) });
        world.serve("b", Server::postgres(2));
        world.advance(secs(20));
        world.crash("a");
        world.advance(secs(2));
        world.server("b").promote(2);
        world.advance(secs(20));
        let start = world.start;
        let since = |at: &std::time::Instant| *at - start;
        let probes: Vec<_> = world.probes.iter().map(|(at, a)| (since(at), a.clone())).collect();
        let events: Vec<_> = world.events.iter().map(|(at, e)| (since(at), e.clone())).collect();
        let generation = world.topology().generation();
        (probes, events, generation)
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7).0, story(8).0, "another seed, another jitter");
}

/// An Aurora cluster whose writer is the first of `names`, settled.
pub(super) fn aurora(names: &[&'static str]) -> World {
    let mut settings = defaults();
    settings.instance_host_pattern = Some("?".parse().unwrap_or_else(|_| bare()));
    let mut world = World::new(settings, &names[..1]);
    for (ip, name) in (1..).zip(names) {
        world.serve(name, Server { members: listed(names), ..Server::aurora(name, ip) });
    }
    world.server(names[0]).writes = true;
    world.advance(secs(3));
    assert_eq!(world.writer(), Some(names[0]));
    assert_eq!(world.topology().instances().len(), names.len());
    world
}

fn bare() -> crate::endpoint::HostPattern {
    crate::endpoint::Endpoint::parse("outside.example.com").instance_template()
}
