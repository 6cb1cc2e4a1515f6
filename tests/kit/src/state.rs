//! What the kit knows about its instances.

use std::sync::Arc;
use std::time::SystemTime;

use crate::instance::Instance;
use crate::volume::TopologyLie;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    /// Was the writer until another one was promoted; would start as a second writer.
    Former,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Running,
    Paused,
    Down,
    Removed,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) instance: Arc<Instance>,
    pub(crate) role: Role,
    pub(crate) presence: Presence,
    /// Aurora's session identifier: new after every start.
    pub(crate) session: String,
    /// When it was last known to run.
    pub(crate) seen: SystemTime,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) slots: Vec<Slot>,
    pub(crate) lie: TopologyLie,
}

impl State {
    /// The instances that were not removed.
    pub(crate) fn present(&self) -> impl Iterator<Item = usize> + '_ {
        self.indices(|slot| slot.presence != Presence::Removed)
    }

    /// The readers that run.
    pub(crate) fn readers(&self) -> Vec<usize> {
        self.indices(|slot| slot.role == Role::Reader && slot.presence == Presence::Running)
            .collect()
    }

    pub(crate) fn indices(
        &self,
        wanted: impl Fn(&Slot) -> bool + 'static,
    ) -> impl Iterator<Item = usize> + '_ {
        let found = self.slots.iter().enumerate().filter(move |(_, slot)| wanted(slot));
        found.map(|(index, _)| index)
    }
}
