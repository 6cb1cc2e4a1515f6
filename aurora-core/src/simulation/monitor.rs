//! The tasks that watch the instances, as `monitor.rs` of the crate has them: one session each, and
//! further tries beside one that is silent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::network::Lookup;
use super::queue::Event;
use super::wire::{Back, ConnectionId, Owner, Sent};
use super::world::World;
use crate::config::Address;
use crate::engine::{FailureKind, Input, ProbeFailure, Report, Slot};
use crate::probe::Failure;

/// A timer that is later than this tells of our own standstill (as in the real monitor).
const STALL: Duration = Duration::from_millis(50);

/// How long it takes to hear that there is no such name.
const NO_NAME: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) address: Address,
    pub(super) timeout: Duration,
    pub(super) hedge: Duration,
}

/// What one monitor is doing.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    session: Option<(Address, ConnectionId)>,
    orders: VecDeque<Order>,
    asking: Option<Asking>,
    serial: u64,
    retired: bool,
}

#[derive(Debug)]
struct Asking {
    address: Address,
    asked_at: Instant,
    deadline: Instant,
    hedge: Duration,
    tries: Vec<Try>,
    /// Tries that have no connection yet: the resolver has not answered.
    looking_up: usize,
}

#[derive(Debug)]
struct Try {
    connection: ConnectionId,
    is_new: bool,
    asked_at: Instant,
}

impl World {
    fn monitor(&mut self, slot: Slot) -> &mut Monitor {
        let index = slot.0 as usize;
        if self.monitors.len() <= index {
            self.monitors.resize_with(index + 1, Monitor::default);
        }
        &mut self.monitors[index]
    }

    /// The engine wants an instance asked.
    pub(super) fn order(&mut self, slot: Slot, order: Order) {
        self.monitor(slot).orders.push_back(order);
        self.begin_asking(slot);
    }

    /// The engine wants an instance watched no longer.
    pub(super) fn retire(&mut self, slot: Slot) {
        self.drop_monitor(slot);
        self.monitor(slot).retired = true;
    }

    /// The task ends, with all it has open.
    pub(super) fn drop_monitor(&mut self, slot: Slot) {
        let monitor = self.monitor(slot);
        monitor.serial += 1;
        monitor.orders.clear();
        let session = monitor.session.take().map(|(_, id)| id);
        let tries = monitor.asking.take().map(|asking| asking.tries).unwrap_or_default();
        for id in session.into_iter().chain(tries.iter().map(|t| t.connection)) {
            self.hang_up(id);
        }
    }

    fn begin_asking(&mut self, slot: Slot) {
        let (now, connect_timeout) = (self.now, self.config.connect_timeout());
        let monitor = self.monitor(slot);
        if monitor.asking.is_some() || monitor.retired {
            return;
        }
        let Some(order) = monitor.orders.pop_front() else { return };
        let (kept, other) = match monitor.session.take() {
            Some((address, id)) if address == order.address => (Some(id), None),
            Some((_, id)) => (None, Some(id)),
            None => (None, None),
        };
        let budget = if kept.is_some() { order.timeout } else { connect_timeout + order.timeout };
        monitor.serial += 1;
        monitor.asking = Some(Asking {
            address: order.address,
            asked_at: now,
            deadline: now + budget,
            hedge: order.hedge,
            tries: Vec::new(),
            looking_up: 0,
        });
        if let Some(other) = other {
            self.hang_up(other);
        }
        match kept {
            Some(id) => {
                self.monitor(slot).add_try(id, false, now);
                self.send(id, Sent::Ask);
            }
            None => self.try_anew(slot),
        }
        self.plan_hedge(slot);
    }

    fn try_anew(&mut self, slot: Slot) {
        let now = self.now;
        let Some(asking) = &mut self.monitor(slot).asking else { return };
        let address = asking.address.clone();
        let found = self.look_up(&address);
        if let Lookup::Found(server) = found {
            let id = self.dial(Owner::Monitor(slot), server);
            return self.monitor(slot).add_try(id, true, now);
        }
        let monitor = self.monitor(slot);
        let serial = monitor.serial;
        if let Some(asking) = &mut monitor.asking {
            asking.looking_up += 1;
        }
        if found == Lookup::NotFound {
            self.queue.push(now + NO_NAME, Event::NoName { slot, serial, address });
        }
    }

    fn plan_hedge(&mut self, slot: Slot) {
        let now = self.now;
        let monitor = self.monitor(slot);
        let serial = monitor.serial;
        let Some(asking) = &monitor.asking else { return };
        let due = (now + asking.hedge).min(asking.deadline);
        self.queue.push(due, Event::Hedge { slot, serial, due });
    }

    /// One slice of patience is over.
    pub(super) fn hedge(&mut self, slot: Slot, serial: u64, due: Instant) {
        let now = self.now;
        let monitor = self.monitor(slot);
        if monitor.serial != serial {
            return;
        }
        let Some(asking) = &mut monitor.asking else { return };
        let late = now.saturating_duration_since(due);
        if late > STALL {
            asking.deadline += late;
        }
        if now >= asking.deadline {
            let failure = Failure::new(FailureKind::Silent, "silent");
            return self.give_up(slot, failure);
        }
        self.try_anew(slot);
        self.plan_hedge(slot);
    }

    /// The resolver does not know the name.
    pub(super) fn no_name(&mut self, slot: Slot, serial: u64, address: &Address) {
        let monitor = self.monitor(slot);
        let Some(asking) = monitor.asking.as_mut().filter(|_| monitor.serial == serial) else {
            return;
        };
        asking.looking_up -= 1;
        if asking.tries.is_empty() && asking.looking_up == 0 {
            self.give_up(slot, Failure::new(FailureKind::Other, format!("no name {address}")));
        }
    }

    fn give_up(&mut self, slot: Slot, failure: Failure) {
        let monitor = self.monitor(slot);
        monitor.serial += 1;
        let Some(asking) = monitor.asking.take() else { return };
        for other in asking.tries {
            self.hang_up(other.connection);
        }
        let failure: ProbeFailure = failure.into_probe_failure();
        self.fact(Input::Unreachable { slot, asked_at: asking.asked_at, failure });
        self.begin_asking(slot);
    }

    /// Something comes over a connection of a monitor's.
    pub(super) fn monitor_hears(&mut self, slot: Slot, id: ConnectionId, back: Back) {
        let now = self.now;
        let monitor = self.monitor(slot);
        if monitor.session.as_ref().is_some_and(|(_, session)| *session == id) {
            if matches!(back, Back::Broken) {
                monitor.session = None;
                let message = "the connection is closed".into();
                self.fact(Input::Disconnected { slot, message });
            }
            return;
        }
        let Some(asking) = &mut monitor.asking else { return };
        let Some(index) = asking.tries.iter().position(|t| t.connection == id) else { return };
        match back {
            Back::Connected { .. } => {
                asking.tries[index].asked_at = now;
                self.send(id, Sent::Ask);
            }
            Back::Report(report) => self.heard(slot, index, *report),
            Back::Refused(kind) => self.try_failed(slot, index, kind),
            Back::Broken => self.try_failed(slot, index, FailureKind::Reset),
            Back::Reply { .. } => {}
        }
    }

    fn heard(&mut self, slot: Slot, index: usize, report: Report) {
        let monitor = self.monitor(slot);
        monitor.serial += 1;
        let Some(mut asking) = monitor.asking.take() else { return };
        let answered = asking.tries.swap_remove(index);
        monitor.session = Some((asking.address, answered.connection));
        for other in asking.tries {
            self.hang_up(other.connection);
        }
        if answered.is_new {
            self.fact(Input::SessionBegan { slot });
        }
        self.fact(Input::Answered { slot, asked_at: answered.asked_at, report });
        self.begin_asking(slot);
    }

    fn try_failed(&mut self, slot: Slot, index: usize, kind: FailureKind) {
        let Some(asking) = &mut self.monitor(slot).asking else { return };
        let failed = asking.tries.swap_remove(index);
        let failure = Failure::new(kind, format!("{kind:?}"));
        let is_last = asking.tries.is_empty() && asking.looking_up == 0;
        if is_last || failure.settles(failed.is_new) {
            self.give_up(slot, failure);
        }
    }
}

impl Monitor {
    fn add_try(&mut self, connection: ConnectionId, is_new: bool, asked_at: Instant) {
        if let Some(asking) = &mut self.asking {
            asking.tries.push(Try { connection, is_new, asked_at });
        }
    }
}
