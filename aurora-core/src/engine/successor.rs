//! The engine that takes the place of one that had a bug.

use std::sync::Arc;
use std::time::Instant;

use super::Engine;

impl Engine {
    /// Numbers its snapshots from `generation` on: it takes the place of another engine, and no
    /// connection of that one's epochs passes for one of its own.
    pub(super) fn continue_from(&mut self, generation: u64) {
        // One fact makes one generation, and raises the epoch of an instance by four at most (a
        // loss, a new process, a new role, a new address).
        self.first_epoch = generation.saturating_mul(4);
        for member in &mut self.members {
            member.epoch = member.epoch.max(self.first_epoch);
        }
        self.published = Arc::new(self.snapshot(generation));
    }

    /// The engine that takes this one's place after a bug in it: it knows nothing but the
    /// configured addresses, which cluster they lead to, whose time as a writer is over, whom an
    /// operator took out of use, and what the API of RDS told.
    pub(crate) fn successor(&self, seed: u64, now: Instant) -> Self {
        let mut heir = Self::new(self.settings.clone(), &self.configured, seed, now);
        heir.cluster.clone_from(&self.cluster);
        heir.highest_incarnation = self.highest_incarnation;
        heir.lineage.clone_from(&self.lineage);
        heir.has_switched = self.has_switched;
        heir.contested = self.contested;
        heir.described = Arc::clone(&self.described);
        heir.kept_offline.clone_from(&self.kept_offline);
        let offline = self.members.iter().filter(|member| !member.online);
        heir.kept_offline.extend(offline.map(|member| member.id.clone()));
        for member in &mut heir.members {
            member.online = !heir.kept_offline.remove(&member.id);
        }
        heir.continue_from(self.published.generation + 1);
        heir
    }
}
