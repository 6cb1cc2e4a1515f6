//! What everybody sees of the cluster, and what is told of its changes.

use std::sync::Arc;

use super::{Engine, Output, diff};
use crate::topology::{Sampled, Topology};

impl Engine {
    /// Publishes what has changed; after a fact at least freshness has.
    pub(super) fn publish(&mut self, is_fact: bool, out: &mut Vec<Output>) {
        let mut next = self.snapshot(self.published.generation);
        if next.differs_from(&self.published) {
            next.generation += 1;
        } else if !is_fact {
            return;
        }
        for event in diff::events(&self.published, &next) {
            out.push(Output::Announce(event));
        }
        self.published = Arc::new(next);
        out.push(Output::Publish(Arc::clone(&self.published)));
    }

    pub(super) fn snapshot(&self, generation: u64) -> Topology {
        let visible = self.members.iter().filter(|member| member.is_visible());
        let instances = visible.map(|m| m.publish(self.elected == Some(m.slot), &self.described));
        let mut topology = Topology::new(instances.collect());
        topology.generation = generation;
        topology.cluster.clone_from(&self.cluster);
        topology.degraded.clone_from(&self.degraded);
        topology.inherited = Arc::clone(&self.inherited);
        let moments = self.samples.recent();
        topology.ended = Arc::clone(&self.ended);
        topology.sampled = (!moments.is_empty()).then(|| Sampled {
            incarnation: self.highest_incarnation,
            reign: self.lineage.as_ref().map(|lineage| lineage.reign()),
            moments,
        });
        topology
    }
}
