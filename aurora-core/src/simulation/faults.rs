//! What goes wrong.

use std::sync::Arc;
use std::time::Duration;

use super::network::Names;
use super::queue::{Deed, Event};
use super::server::{LIES, State};
use super::swarm::{Fault, Kind};
use super::wire::{Back, Owner};
use super::world::World;
use crate::engine::Input;

impl World {
    /// One fault, and the next one later.
    pub(super) fn strike(&mut self) {
        if self.is_healing {
            return;
        }
        let fault = self.swarm.faults[self.rng.usize(..self.swarm.faults.len())];
        let others = self.rng.usize(..self.servers.len());
        let server = if self.rng.bool() { self.rightful } else { others };
        let name = &self.servers[server].name;
        self.trace.tell(self.now, || format!("fault: {fault:?}, server {name}"));
        self.faults += 1;
        let lasts = Duration::from_millis(match self.rng.u8(..3) {
            0 => self.rng.u64(20..500),
            1 => self.rng.u64(500..4000),
            _ => self.rng.u64(4000..12000),
        });
        self.inject(fault, server, lasts);
        let at = self.now + self.jittered(self.swarm.pause);
        self.queue.push(at, Event::Fault);
    }

    fn inject(&mut self, fault: Fault, server: usize, lasts: Duration) {
        match fault {
            Fault::Backend => self.break_connections(server),
            Fault::Clock => {
                self.servers[server].clock = self.rng.i64(-3_600_000..3_600_000);
                self.soon(lasts, Deed::Resume { server });
            }
            Fault::Crash | Fault::MachineLost | Fault::Hang => self.stop(fault, server, lasts),
            Fault::Cut => self.cut(server, true, true, lasts),
            Fault::HalfCut => {
                let to = self.rng.bool();
                self.cut(server, to, !to, lasts);
            }
            Fault::Full => {
                self.servers[server].max_connections = self.rng.usize(1..5);
                self.soon(lasts, Deed::Resume { server });
            }
            Fault::Lie => {
                self.servers[server].lie = Some(LIES[self.rng.usize(..LIES.len())]);
                self.soon(lasts, Deed::Resume { server });
            }
            Fault::MonitorDies => self.monitors_die = !self.monitors_die,
            Fault::Names => {
                self.names = if self.rng.bool() { Names::NotFound } else { Names::Silent };
                self.soon(lasts, Deed::MendNames);
            }
            Fault::NewEngine => self.replace_engine(),
            Fault::Offline => self.take_offline(server, lasts),
            Fault::PauseReplay => {
                self.servers[server].replay_paused = true;
                self.soon(lasts, Deed::Resume { server });
            }
            Fault::Replication => {
                self.links_cut[server] = true;
                self.soon(lasts, Deed::Mend { server });
            }
            Fault::Slow => {
                self.paths[server].delay = Duration::from_millis(self.rng.u64(10..700));
                self.soon(lasts, Deed::Mend { server });
            }
            Fault::SplitBrain => self.promote_later(Duration::ZERO, false),
            Fault::Standstill => {
                self.frozen_until = self.frozen_until.max(self.now + lasts / 2);
            }
            Fault::Switchover => self.promote_later(Duration::ZERO, true),
        }
    }

    fn stop(&mut self, fault: Fault, server: usize, lasts: Duration) {
        if !self.servers[server].is_up() {
            return;
        }
        match fault {
            Fault::Hang => {
                self.servers[server].state = State::Hung;
                self.soon(lasts, Deed::Resume { server });
            }
            Fault::MachineLost => {
                self.crash(server, State::Gone);
                self.soon(lasts, Deed::Start { server });
            }
            _ => {
                self.crash(server, State::Down);
                self.soon(lasts, Deed::Start { server });
            }
        }
        self.may_fail_over(server);
    }

    fn cut(&mut self, server: usize, to: bool, back: bool, lasts: Duration) {
        (self.paths[server].to_cut, self.paths[server].back_cut) = (to, back);
        self.links_cut[server] = self.rng.bool();
        self.soon(lasts, Deed::Mend { server });
        self.may_fail_over(server);
    }

    /// The operator may fail over from a writer that has trouble, with or without fencing it.
    fn may_fail_over(&mut self, server: usize) {
        if server == self.rightful && self.rng.u8(..10) < 7 {
            let (reaction, fence) = (self.swarm.reaction, self.rng.u8(..3) > 0);
            self.promote_later(reaction, fence);
        }
    }

    fn promote_later(&mut self, reaction: Duration, fence: bool) {
        // The storage of Aurora ends the old writer at once.
        let fence = fence || self.swarm.kind == Kind::Aurora;
        self.soon(reaction, Deed::Promote { fence, patience: 20 });
    }

    /// Some connections of a server's break, as when a backend is ended.
    fn break_connections(&mut self, server: usize) {
        let open: Vec<_> = self.servers[server].connections.clone();
        for id in open {
            let is_client = matches!(self.connections[id].owner, Owner::Client(_));
            if self.rng.u8(..2) == 0 && (is_client || self.rng.u8(..3) == 0) {
                self.forget(id);
                self.send_back(id, Back::Broken);
            }
        }
    }

    fn take_offline(&mut self, server: usize, lasts: Duration) {
        let topology = Arc::clone(&self.published);
        let at = super::server::ip(server);
        if let Some(instance) = topology.instances().iter().find(|i| i.ip() == Some(at)) {
            self.fact(Input::SetOnline { instance: instance.id().clone(), online: false });
            self.taken_offline.insert(instance.id().clone());
            self.soon(lasts, Deed::BringOnline);
        }
    }
}
