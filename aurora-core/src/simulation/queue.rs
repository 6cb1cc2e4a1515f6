//! What is still to happen, in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;

use super::wire::{Back, ConnectionId, Sent, Work};
use crate::config::Address;
use crate::engine::{Input, Slot};
use crate::topology::Topology;

/// Something that happens at its moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A standby's word that it has the log up to `length` reaches the server it follows.
    Acknowledged { by: usize, run: u64, length: usize },
    /// A message of a server's reaches us.
    Back { connection: ConnectionId, back: Back, tries: u32 },
    /// A server executes a statement.
    Execute { connection: ConnectionId, token: u64, work: Work },
    /// The engine is told a fact.
    Fact(Input),
    /// The next fault.
    Fault,
    /// The time of faults is over.
    Heal,
    /// A monitor's patience ends, for one more try or for good.
    Hedge { slot: Slot, serial: u64, due: Instant },
    /// The operator does something.
    Operate(Deed),
    /// A name was not found.
    NoName { slot: Slot, serial: u64, address: Address },
    /// A server replays its log.
    Replay { on: usize, upto: usize },
    /// A piece of the log reaches a standby.
    Stream { to: usize },
    /// The driver empties the stores of what is out of use.
    Tidy(Arc<Topology>),
    /// A message of ours reaches a server.
    Sent { connection: ConnectionId, sent: Sent, tries: u32 },
    /// Something a session waits for may have come.
    Wake { client: usize, serial: u64 },
}

/// What the operator of the cluster, or chance, does to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// The cluster endpoint leads to the writer.
    Endpoint,
    /// Everything that is cut is connected again, and slow paths are quick.
    Mend { server: usize },
    /// Some standby becomes the writer; the old one is stopped first or not.
    Promote { fence: bool, patience: u32 },
    /// It follows the writer, after a rewind where its log went another way.
    Rejoin { server: usize },
    /// It follows the writer if it may without a rewind.
    Repoint { server: usize },
    /// Its process goes on, replay goes on, lies end.
    Resume { server: usize },
    /// It comes up again.
    Start { server: usize },
    /// It has come up.
    Started { server: usize },
    /// Names lead where they should.
    MendNames,
    /// Every instance is in use.
    BringOnline,
    /// A reader's view of who is the writer is up to date.
    Learn { server: usize },
}

impl Event {
    /// Whether it happens in our process, and waits while that stands still.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Back { .. }
            | Self::Fact(_)
            | Self::Hedge { .. }
            | Self::NoName { .. }
            | Self::Tidy(_)
            | Self::Wake { .. } => true,
            Self::Acknowledged { .. }
            | Self::Execute { .. }
            | Self::Fault
            | Self::Heal
            | Self::Operate(_)
            | Self::Replay { .. }
            | Self::Stream { .. }
            | Self::Sent { .. } => false,
        }
    }
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    /// When it was due at first: what was put off keeps its order.
    due: Instant,
    sequence: u64,
    /// Apart, so that the heap moves little: most of a life is spent in it.
    event: Box<Event>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.due, self.sequence).cmp(&(other.at, other.due, other.sequence))
    }
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry {
            at,
            due: at,
            sequence: self.sequence,
            event: Box::new(event),
        }));
    }

    /// Facts, but for what an operator wants, and what monitors wait for, are forgotten.
    pub(super) fn forget_facts(&mut self) {
        self.heap.retain(|Reverse(entry)| match &*entry.event {
            Event::Fact(input) => matches!(input, Input::SetOnline { .. }),
            other => !matches!(other, Event::Hedge { .. } | Event::NoName { .. }),
        });
    }

    /// When the next event is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next event; those of ours that come before `frozen_until` are put off to then, in the
    /// order they have.
    pub(super) fn pop(&mut self, frozen_until: Instant) -> Option<(Instant, Event)> {
        let Reverse(mut entry) = self.heap.pop()?;
        if entry.at < frozen_until && entry.event.is_ours() {
            entry.at = frozen_until;
            self.heap.push(Reverse(entry));
            return None;
        }
        Some((entry.at, *entry.event))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_ours_waits_while_we_stand_still_and_keeps_its_order() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut queue = Queue::default();
        queue.push(at(2), Event::Wake { client: 2, serial: 0 });
        queue.push(at(1), Event::Wake { client: 1, serial: 0 });
        queue.push(at(3), Event::Fault);
        let mut seen = Vec::new();
        while queue.next().is_some() {
            match queue.pop(at(9)) {
                Some((when, Event::Wake { client, .. })) => seen.push((when, client)),
                Some((when, _)) => seen.push((when, 0)),
                None => {}
            }
        }
        assert_eq!(seen, [(at(3), 0), (at(9), 1), (at(9), 2)]);
    }
}
