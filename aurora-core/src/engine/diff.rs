//! Events are the difference of two snapshots.

use crate::event::Event;
use crate::topology::{Health, Instance, InstanceId, Role, Topology};

/// What happened between `old` and `new`, membership first and the writer last.
pub(super) fn events(old: &Topology, new: &Topology) -> Vec<Event> {
    let mut events = Vec::new();
    for instance in new.instances() {
        match old.instance(&instance.id) {
            Some(before) => changes(before, instance, &mut events),
            None => {
                events.push(Event::InstanceAdded { instance: instance.id.clone() });
                changes(&newcomer(instance), instance, &mut events);
            }
        }
    }
    for instance in old.instances() {
        if new.instance(&instance.id).is_none() {
            events.push(Event::InstanceRemoved { instance: instance.id.clone() });
        }
    }
    match (&old.degraded, &new.degraded) {
        (Some(_), None) => events.push(Event::TopologyRestored),
        (before, Some(reason)) if before.as_ref() != Some(reason) => {
            events.push(Event::TopologyDegraded { reason: reason.to_string() });
        }
        (_, _) => {}
    }
    let (from, to) = (elected(old), elected(new));
    if from != to {
        events.push(Event::WriterChanged { from, to });
    }
    events
}

/// What an instance is to a listener who has only heard that it joined.
fn newcomer(instance: &Instance) -> Instance {
    Instance { role: Role::Unknown, health: Health::Unknown, online: true, ..instance.clone() }
}

fn changes(before: &Instance, after: &Instance, events: &mut Vec<Event>) {
    let instance = || after.id.clone();
    if before.health != after.health {
        let reason = after.last_error().filter(|_| after.health != Health::Online);
        events.push(Event::HealthChanged {
            instance: instance(),
            from: before.health,
            to: after.health,
            reason: reason.map(str::to_owned),
        });
    }
    if before.role != after.role {
        events.push(Event::RoleChanged { instance: instance(), from: before.role, to: after.role });
    }
    if before.online != after.online {
        events.push(Event::OnlineChanged { instance: instance(), online: after.online });
    }
}

/// The instance elected to be the writer, whether or not it can be used now.
fn elected(topology: &Topology) -> Option<InstanceId> {
    let writer = topology.instances().iter().find(|i| i.role == Role::Writer);
    writer.map(|instance| instance.id.clone())
}
