//! At most one writer per generation, and none of an earlier timeline (DESIGN 3, rule 2).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::{Finding, Invariant, Seen};
use crate::topology::{InstanceId, Role, Topology};

/// The writers so far.
#[derive(Debug, Default)]
pub(super) struct OneWriter {
    generation: u64,
    writer: Option<InstanceId>,
    /// What each instance has last said of its timeline.
    timelines: HashMap<IpAddr, u64>,
    highest: u64,
}

impl OneWriter {
    fn published(&mut self, topology: &Topology) -> Finding {
        let mut writers = topology.instances().iter().filter(|i| i.role() == Role::Writer);
        let writer = writers.next();
        if writers.next().is_some() {
            return Finding::Violated(format!("two writers in {topology:?}"));
        }
        let id = writer.map(|writer| writer.id().clone());
        if topology.generation() == self.generation && id != self.writer {
            return Finding::Violated(format!(
                "generation {} had the writer {:?} and has {id:?}",
                self.generation, self.writer
            ));
        }
        let is_another = id != self.writer;
        (self.generation, self.writer) = (topology.generation(), id);
        let Some(ip) = writer.and_then(|writer| writer.ip()) else { return Finding::Holds };
        let Some(timeline) = self.timelines.get(&ip).copied() else { return Finding::Holds };
        if is_another && timeline < self.highest {
            return Finding::Violated(format!(
                "{ip} was elected with timeline {timeline} after one with {}",
                self.highest
            ));
        }
        self.highest = self.highest.max(timeline);
        Finding::Holds
    }
}

impl Invariant for OneWriter {
    fn name(&self) -> &'static str {
        "one writer per generation"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        match seen {
            Seen::Reported { ip: Some(ip), timeline: Some(timeline) } => {
                self.timelines.insert(*ip, *timeline);
                Finding::Nothing
            }
            Seen::Published(topology) => self.published(topology),
            Seen::Replaced(topology) => {
                // Its writer is nobody until it has asked.
                self.generation = topology.generation();
                self.writer = None;
                Finding::Nothing
            }
            _ => Finding::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::instance;

    fn topology(generation: u64, writer: &str, ip: u8) -> Topology {
        let mut instance = instance(writer, Role::Writer, None);
        instance.ip = Some(IpAddr::from([10, 0, 0, ip]));
        let mut topology = Topology::new(vec![instance]);
        topology.generation = generation;
        topology
    }

    fn see(invariant: &mut OneWriter, seen: &Seen<'_>) -> bool {
        !matches!(invariant.see(Instant::now(), seen), Finding::Violated(_))
    }

    #[test]
    fn it_can_fail_within_a_generation() {
        let mut invariant = OneWriter::default();
        assert!(see(&mut invariant, &Seen::Published(&topology(1, "a", 1))));
        assert!(see(&mut invariant, &Seen::Published(&topology(2, "b", 2))));
        assert!(!see(&mut invariant, &Seen::Published(&topology(2, "a", 1))));
    }

    #[test]
    fn it_can_fail_by_an_earlier_timeline() {
        let mut invariant = OneWriter::default();
        for (ip, timeline) in [(1, 1), (2, 2)] {
            let ip = Some(IpAddr::from([10, 0, 0, ip]));
            let seen = Seen::Reported { ip, timeline: Some(timeline) };
            assert!(see(&mut invariant, &seen));
        }
        assert!(see(&mut invariant, &Seen::Published(&topology(1, "b", 2))));
        assert!(!see(&mut invariant, &Seen::Published(&topology(2, "a", 1))));
    }
}
