//! Events are the difference of two snapshots: together they tell the whole story.

use std::collections::BTreeMap;

use super::members::by_cluster_endpoint;
use super::server::{Server, suggested};
use super::world::World;
use super::{ms, secs};
use crate::engine::{Engine, Input};
use crate::event::Event;
use crate::topology::{Health, InstanceId, Role, Topology};

type State = BTreeMap<InstanceId, (Role, Health, bool)>;

fn state(topology: &Topology) -> State {
    let entry =
        |i: &crate::topology::Instance| (i.id().clone(), (i.role(), i.health(), i.is_online()));
    topology.instances().iter().map(entry).collect()
}

/// What a listener knows who saw `first` and heard everything since.
pub(crate) fn replay(world: &World) {
    let mut known = state(&world.first);
    let mut writer = world.first.writer().map(|w| w.id().clone());
    let mut degraded = None;
    for (_, event) in &world.events {
        match event {
            Event::HealthChanged { instance, from, to, .. } => {
                let entry = known.get_mut(instance).expect("it joined before");
                assert_eq!(std::mem::replace(&mut entry.1, *to), *from);
            }
            Event::RoleChanged { instance, from, to } => {
                let entry = known.get_mut(instance).expect("it joined before");
                assert_eq!(std::mem::replace(&mut entry.0, *to), *from);
            }
            Event::OnlineChanged { instance, online } => {
                known.get_mut(instance).expect("it joined before").2 = *online;
            }
            Event::InstanceAdded { instance } => {
                let before = known.insert(instance.clone(), (Role::Unknown, Health::Unknown, true));
                assert_eq!(before, None, "{instance} joined twice");
            }
            Event::InstanceRemoved { instance } => {
                assert!(known.remove(instance).is_some(), "{instance} left twice");
            }
            Event::WriterChanged { from, to } => {
                assert_eq!(std::mem::replace(&mut writer, to.clone()), *from);
            }
            Event::TopologyDegraded { reason } => degraded = Some(reason.as_str()),
            Event::TopologyRestored => degraded = None,
            Event::MonitorRestarted { .. } => {}
            Event::Missed { .. } => panic!("the engine announces no misses"),
        }
    }
    let last = world.topology();
    assert_eq!(known, state(&last));
    assert_eq!(degraded, last.degraded());
    let elected = last.instances().iter().find(|i| i.role() == Role::Writer);
    assert_eq!(writer.as_ref(), elected.map(crate::topology::Instance::id));
}

#[test]
fn events_replayed_over_the_first_snapshot_give_the_last() {
    let mut world = World::postgres();
    replay(&world);
    world.serve("d", Server::postgres(4));
    world.server("a").members = suggested(&["d", "wrong-guess"]);
    world.advance(secs(5));
    world.crash("a");
    world.advance(secs(1));
    world.server("b").promote(2);
    world.advance(secs(5));
    world.server("a").restart();
    world.handle(Input::SetOnline { instance: "c:5432".into(), online: false });
    world.advance(secs(5));
    replay(&world);
    let kinds = |wanted: fn(&Event) -> bool| world.events.iter().filter(|(_, e)| wanted(e)).count();
    assert!(kinds(|e| matches!(e, Event::RoleChanged { .. })) >= 5);
}

#[test]
fn an_instance_that_joins_under_its_own_name_has_its_whole_story_told() {
    let mut world = by_cluster_endpoint();
    world.advance(secs(3));
    replay(&world);
    world.crash("a");
    world.advance(secs(2));
    world.server("b").writes = true;
    world.advance(secs(2));
    replay(&world);
}

#[test]
fn an_instance_that_is_in_use_when_it_joins_has_its_state_told() {
    let mut world = World::new(super::defaults(), &["endpoint"]);
    world.serve("a", Server { writes: true, ..Server::aurora("a", 1) });
    world.dns.insert("endpoint".to_owned(), "a");
    world.advance(secs(3));
    assert!(world.is("a", Role::Writer, Health::Online));
    replay(&world);
}

#[test]
fn a_reason_is_told_with_bad_news_only() {
    let mut world = World::postgres();
    world.crash("b");
    world.advance(ms(100));
    world.server("b").restart();
    world.advance(secs(3));
    for (_, event) in &world.events {
        if let Event::HealthChanged { to, reason, .. } = event {
            assert_eq!(reason.is_some(), *to != Health::Online, "{event:?}");
        }
    }
}

#[test]
fn an_engine_that_takes_over_repeats_no_generation_and_no_epoch() {
    let mut world = World::postgres();
    for _ in 0..5 {
        world.crash("b");
        world.advance(secs(1));
        world.server("b").restart();
        world.advance(secs(2));
    }
    let old = world.topology();
    let addresses: Vec<_> = old.instances().iter().map(|i| i.address().clone()).collect();
    let mut engine = Engine::new(super::defaults(), &addresses, 1, world.now);
    engine.continue_from(old.generation() + 1);
    assert!(engine.topology().generation() > old.generation());
    let highest = old.instances().iter().map(crate::topology::Instance::epoch).max();
    assert!(engine.topology().instances().iter().all(|i| Some(i.epoch()) > highest));
}
