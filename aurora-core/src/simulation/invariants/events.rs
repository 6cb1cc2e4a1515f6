//! Events are the difference of two snapshots: who knew the first one and heard all events since
//! knows the last one (DESIGN 3: events are derived from the difference).

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Finding, Invariant, Seen};
use crate::event::Event;
use crate::topology::{Health, InstanceId, Role, Topology};

type State = BTreeMap<InstanceId, (Role, Health, bool)>;

/// What a listener knows.
#[derive(Debug)]
pub(super) struct Events {
    known: State,
}

impl Events {
    pub(super) fn new(first: &Topology) -> Self {
        Self { known: state(first) }
    }

    fn hear(&mut self, event: &Event) -> Option<()> {
        match event {
            Event::HealthChanged { instance, from, to, .. } => {
                let entry = self.known.get_mut(instance)?;
                (std::mem::replace(&mut entry.1, *to) == *from).then_some(())
            }
            Event::RoleChanged { instance, from, to } => {
                let entry = self.known.get_mut(instance)?;
                (std::mem::replace(&mut entry.0, *to) == *from).then_some(())
            }
            Event::OnlineChanged { instance, online } => {
                self.known.get_mut(instance)?.2 = *online;
                Some(())
            }
            Event::InstanceAdded { instance } => {
                let unknown = (Role::Unknown, Health::Unknown, true);
                self.known.insert(instance.clone(), unknown).is_none().then_some(())
            }
            Event::InstanceRemoved { instance } => self.known.remove(instance).map(|_| ()),
            Event::Missed { .. }
            | Event::MonitorRestarted { .. }
            | Event::TopologyDegraded { .. }
            | Event::TopologyRestored
            | Event::WriterChanged { .. } => Some(()),
        }
    }
}

fn state(topology: &Topology) -> State {
    let entry =
        |i: &crate::topology::Instance| (i.id().clone(), (i.role(), i.health(), i.is_online()));
    topology.instances().iter().map(entry).collect()
}

impl Invariant for Events {
    fn name(&self) -> &'static str {
        "events match the snapshots"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        match seen {
            Seen::Announced(event) => match self.hear(event) {
                Some(()) => Finding::Nothing,
                None => {
                    Finding::Violated(format!("{event:?} fits nothing known: {:?}", self.known))
                }
            },
            Seen::Published(topology) => Finding::check(self.is(topology), || {
                format!("known is {:?}, but true is {topology:?}", self.known)
            }),
            Seen::Replaced(topology) => {
                self.known = state(topology);
                Finding::Nothing
            }
            _ => Finding::Nothing,
        }
    }
}

impl Events {
    fn is(&self, topology: &Topology) -> bool {
        let instances = topology.instances();
        self.known.len() == instances.len()
            && instances
                .iter()
                .all(|i| self.known.get(i.id()) == Some(&(i.role(), i.health(), i.is_online())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::instance;

    #[test]
    fn it_can_fail() {
        let first = Topology::new(vec![instance("a", Role::Reader, None)]);
        let second = Topology::new(vec![instance("a", Role::Writer, None)]);
        let now = Instant::now();
        let mut invariant = Events::new(&first);
        assert_eq!(invariant.see(now, &Seen::Published(&first)), Finding::Holds);
        assert!(matches!(invariant.see(now, &Seen::Published(&second)), Finding::Violated(_)));
        let told =
            Event::RoleChanged { instance: "a".into(), from: Role::Reader, to: Role::Writer };
        assert_eq!(invariant.see(now, &Seen::Announced(&told)), Finding::Nothing);
        assert_eq!(invariant.see(now, &Seen::Published(&second)), Finding::Holds);
        assert!(matches!(invariant.see(now, &Seen::Announced(&told)), Finding::Violated(_)));
    }
}
