//! What everybody sees of the cluster, and what is told of its changes.

use std::sync::Arc;
use std::time::Instant;

use super::member::Member;
use super::{Engine, Output, diff};
use crate::topology::{Sampled, Topology};

impl Engine {
    /// Publishes what has changed; after a fact at least freshness has, which may be put off.
    pub(super) fn publish(&mut self, now: Instant, is_fact: bool, out: &mut Vec<Output>) {
        if self.is_shown() && if is_fact { self.put_off(now) } else { !self.is_due(now) } {
            debug_assert!(!self.snapshot(0).differs_from(&self.published));
            return;
        }
        self.show(now, is_fact, out);
    }

    /// Publishes what was put off: somebody waits for news.
    pub(crate) fn catch_up(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.is_behind() {
            self.show(now, true, out);
        }
    }

    fn show(&mut self, now: Instant, is_fact: bool, out: &mut Vec<Output>) {
        let mut next = self.snapshot(self.published.generation);
        let differs = next.differs_from(&self.published);
        if differs {
            next.generation += 1;
        } else if !is_fact && !self.is_behind() {
            return;
        }
        if differs || next.degraded != self.published.degraded {
            let events = diff::events(&self.published, &next);
            out.extend(events.into_iter().map(Output::Announce));
        }
        self.published = Arc::new(next);
        self.note_shown(now);
        out.push(Output::Publish(Arc::clone(&self.published)));
    }

    pub(super) fn snapshot(&self, generation: u64) -> Topology {
        let mut instances = Vec::with_capacity(self.members.len());
        let visible = self.members.iter().filter(|member| member.is_visible());
        let publish = |m: &Member| m.publish(self.elected == Some(m.slot), &self.described);
        instances.extend(visible.map(publish));
        let mut topology = Topology::new(instances);
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
