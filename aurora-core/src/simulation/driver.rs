//! Carries the engine's instructions out, and facts to it, as `driver.rs` of the crate does.

use std::sync::Arc;
use std::time::Duration;

use super::invariants::Seen;
use super::monitor::Order;
use super::queue::Event;
use super::world::World;
use crate::engine::{Input, Output, Report, Slot};
use crate::store::Retire as _;
use crate::topology::Topology;

/// How long a fact is under way to the engine.
const TOLD: Duration = Duration::from_micros(20);

/// How long it takes until the stores are emptied.
const TIDIED: Duration = Duration::from_micros(100);

impl World {
    /// Tells the engine a fact.
    pub(super) fn fact(&mut self, input: Input) {
        self.queue.push(self.now + TOLD, Event::Fact(input));
    }

    /// The engine takes in a fact.
    pub(super) fn feed_engine(&mut self, input: Input) {
        if let Input::Answered { slot, asked_at, report } = &input {
            let asked = self.trace.since(*asked_at);
            self.trace.tell(self.now, || {
                let Report { ip, accepts_writes, incarnation, position, .. } = report;
                format!(
                    "{slot:?} answered what was asked at {asked:?}: {ip:?}, writes: \
                     {accepts_writes}, timeline {incarnation:?}, position {position:?}"
                )
            });
            let seen = Seen::Reported { ip: report.ip, timeline: report.incarnation };
            self.judge.see(self.now, &seen);
        }
        let before = self.engine.topology().generation();
        let mut outputs = std::mem::take(&mut self.outputs);
        // As when another fact is there already; the next one comes when it comes.
        if self.rng.u8(..4) == 0 {
            self.engine.handle_one_of_many(self.now, input, &mut outputs);
        } else {
            self.engine.handle(self.now, input, &mut outputs);
        }
        for output in outputs.drain(..) {
            self.carry_out(output);
        }
        self.outputs = outputs;
        let topology = self.engine.topology();
        if topology.generation() != before {
            self.queue.push(self.now + TIDIED, Event::Tidy(topology));
        }
        self.wake_at = self.engine.next_wake();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Announce(event) => {
                self.trace.tell(self.now, || format!("event: {event}"));
                self.judge.see(self.now, &Seen::Announced(&event));
            }
            Output::Probe { slot, address, timeout, hedge } => {
                self.judge.see(self.now, &Seen::Probed { address: &address });
                if self.monitors_die && self.rng.u8(..4) == 0 {
                    self.drop_monitor(slot);
                    return self.fact(Input::MonitorDied { slot, reason: "chance".to_owned() });
                }
                self.order(slot, Order { address, timeout, hedge });
            }
            Output::Publish(topology) => self.publish(topology),
            Output::Retire { slot } => self.retire(slot),
        }
    }

    fn publish(&mut self, topology: Arc<Topology>) {
        self.judge.see(self.now, &Seen::Published(&topology));
        self.published = topology;
        for client in 0..self.clients.len() {
            self.news_for(client);
        }
    }

    /// Closes what is out of use, and ends what waits on a lost instance.
    pub(super) fn tidy(&mut self, topology: &Topology) {
        self.store.retire(topology, self.now);
        self.sweep();
        for id in self.aborted.take() {
            self.abort(id);
        }
    }

    /// Connections that were dropped are closed.
    pub(super) fn sweep(&mut self) {
        for id in self.closed.take() {
            self.hang_up(id);
        }
    }

    /// The engine takes in what it was told, unless it rests after a bug: then it does later.
    pub(super) fn hear_fact(&mut self, input: Input) {
        if self.now < self.engine_rests_until {
            return self.queue.push(self.engine_rests_until + TOLD, Event::Fact(input));
        }
        self.feed_engine(input);
    }

    /// A bug of the engine's: another one takes its place, with monitors of its own, after the
    /// pause that `driver.rs` makes. It knows what that one keeps; until it has heard of somebody,
    /// everybody goes by the last snapshot of the one before.
    pub(super) fn replace_engine(&mut self) {
        for slot in 0..self.monitors.len() {
            self.drop_monitor(Slot(slot as u32));
        }
        self.monitors.clear();
        // What was under way to the engine that was is not for this one.
        self.queue.forget_facts();
        let seed = self.rng.u64(..);
        self.engine = self.engine.successor(seed, self.now);
        self.judge.see(self.now, &Seen::Replaced(&self.engine.topology()));
        self.engine_rests_until = self.now + crate::driver::REST;
        self.wake_at = Some(self.engine_rests_until);
    }
}
