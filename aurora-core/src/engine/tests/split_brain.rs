//! Two instances claim to be the writer.

use super::rules::aurora;
use super::server::{Server, State};
use super::world::World;
use super::{defaults, ms, secs};
use crate::event::Event;
use crate::topology::{Health, Role};

fn writer_changes(world: &World) -> usize {
    let is_change = |event: &Event| matches!(event, Event::WriterChanged { .. });
    world.events.iter().filter(|(_, event)| is_change(event)).count()
}

#[test]
fn the_higher_timeline_wins_and_nothing_oscillates() {
    let mut world = World::postgres();
    world.crash("a");
    world.advance(ms(100));
    world.server("b").promote(2);
    world.until(secs(1), |w| w.writer() == Some("b"));
    world.server("a").restart();
    world.until(secs(2), |w| w.is("a", Role::Unknown, Health::Fenced));
    let (changes, generation) = (writer_changes(&world), world.topology().generation());
    world.advance(secs(60));
    assert_eq!(world.writer(), Some("b"));
    assert_eq!((writer_changes(&world), world.topology().generation()), (changes, generation));
    assert!(world.instance("a").last_error().is_some_and(|e| e.contains("rejoin")));
}

#[test]
fn the_lower_timeline_is_fenced_for_ever_even_when_the_higher_one_dies() {
    let mut world = World::postgres();
    world.server("b").promote(2);
    world.until(secs(2), |w| w.writer() == Some("b"));
    world.crash("b");
    world.server("a").restart();
    world.advance(secs(300));
    assert!(world.topology().writer().is_none(), "writes of a would be lost");
    assert!(world.is("a", Role::Unknown, Health::Fenced));
    // As a reader of the new history it is welcome.
    world.server("a").rejoin();
    world.server("b").restart();
    world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
    world.until(secs(2), |w| w.writer() == Some("b"));
}

#[test]
fn an_engine_that_takes_over_after_a_bug_still_fences_the_old_writer() {
    let mut world = World::postgres();
    world.server("b").promote(2);
    world.until(secs(2), |w| w.writer() == Some("b"));
    world.crash("b");
    world.server("a").restart();
    let before = world.topology();
    world.replace_engine();
    let after = world.topology();
    assert!(after.generation() > before.generation());
    for instance in before.instances() {
        let heir = after.instance(instance.id()).unwrap();
        assert!(heir.epoch() > instance.epoch(), "no connection passes for one of its own");
    }
    world.advance(secs(30));
    assert!(world.topology().writer().is_none(), "writes of a would be lost");
    world.server("b").restart();
    world.until(secs(2), |w| w.writer() == Some("b"));
}

#[test]
fn of_two_with_one_timeline_the_incumbent_stays() {
    let mut world = World::postgres();
    world.server("b").promote(1);
    world.advance(secs(30));
    assert_eq!((world.writer(), writer_changes(&world)), (Some("a"), 1));
    assert!(world.is("b", Role::Unknown, Health::Fenced));
    let fresh = world.instance("b").fresh_as_of();
    world.advance(secs(5));
    assert_eq!(world.instance("b").fresh_as_of(), fresh, "what it has written is its own");
    // Only when it is lost the other one takes over.
    world.crash("a");
    world.until(ms(100), |w| w.writer() == Some("b"));
}

#[test]
fn on_aurora_the_later_claim_wins() {
    let mut world = aurora(&["a", "b"]);
    world.server("b").writes = true;
    world.until(secs(2), |w| w.writer() == Some("b"));
    let changes = writer_changes(&world);
    world.advance(secs(30));
    assert_eq!((world.writer(), writer_changes(&world)), (Some("b"), changes));
    assert!(world.is("a", Role::Unknown, Health::Fenced));
    world.server("a").writes = false;
    world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
}

#[test]
fn whoever_is_asked_first_the_higher_timeline_wins() {
    for hosts in [["old", "new"], ["new", "old"]] {
        let mut world = World::new(defaults(), &hosts);
        let late = |ip, timeline| Server {
            writes: true,
            timeline: Some(timeline),
            latency: ms(u64::from(ip) * 5),
            ..Server::postgres(ip)
        };
        world.serve(hosts[0], late(1, if hosts[0] == "new" { 2 } else { 1 }));
        world.serve(hosts[1], late(2, if hosts[1] == "new" { 2 } else { 1 }));
        world.advance(secs(2));
        assert_eq!(world.writer(), Some("new"));
        assert!(world.is("old", Role::Unknown, Health::Fenced));
    }
}

#[test]
fn a_fenced_instance_that_hangs_is_lost_and_fenced_again() {
    let mut world = World::postgres();
    world.server("b").promote(2);
    world.until(secs(2), |w| w.writer() == Some("b"));
    world.server("a").state = State::Hung;
    world.until(secs(5), |w| w.is("a", Role::Unknown, Health::Lost));
    world.server("a").state = State::Up;
    world.until(secs(5), |w| w.is("a", Role::Unknown, Health::Fenced));
    assert_eq!(world.writer(), Some("b"));
}

#[test]
fn an_old_writer_made_read_only_is_no_reader_of_the_new_one() {
    let mut world = World::postgres();
    world.server("a").writes = false;
    world.server("a").stands_still = true;
    // While nobody else writes, what it holds is what there is.
    world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
    world.server("b").promote(2);
    world.until(secs(2), |w| w.writer() == Some("b"));
    world.until(secs(2), |w| w.is("a", Role::Unknown, Health::Fenced));
    let changes = writer_changes(&world);
    world.advance(secs(60));
    assert_eq!((world.writer(), writer_changes(&world)), (Some("b"), changes));
    assert!(world.is("a", Role::Unknown, Health::Fenced));
    world.server("a").stands_still = false;
    world.server("a").rejoin();
    world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
}
