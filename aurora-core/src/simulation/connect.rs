//! Making a connection: whose turn it is, and what becomes of it. The steps are those of
//! `Cluster::turn` and of `aurora-diesel/src/lease.rs`, with the production [`Ramp`]. Who waits for
//! a turn is served in no particular order here, while the real queues are first come, first
//! served.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Doing;
use super::invariants::Seen;
use super::network::Lookup;
use super::outcome::Ended;
use super::queue::Event;
use super::server::at_ip;
use super::wire::{Back, ConnectionId, Owner, Wire};
use super::world::World;
use crate::engine::{Complaint, FailureKind, Input};
use crate::error::ErrorKind;
use crate::ramp::{Admission, End, Pass, Ramp};
use crate::route::{Need, readers};
use crate::store::Lease;
use crate::topology::{Health, Instance, InstanceId, Role, Topology};

/// A connection that is being made.
#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) id: Option<ConnectionId>,
    to: Instance,
    breaks: u64,
    pass: Pass,
    pub(super) until: Instant,
    /// It has less time than `connect_timeout`: that it is late says nothing of the instance.
    is_cut: bool,
}

impl World {
    /// Another reader, while the one picked is left alone after a failed connect.
    pub(super) fn elsewhere<'a>(
        &self,
        topology: &'a Topology,
        need: Need,
        instance: &Instance,
    ) -> Option<&'a Instance> {
        let rests = |instance: &Instance| {
            let ramp = self.ramps.get(instance.id());
            ramp.is_some_and(|ramp| ramp.rests(instance.epoch(), self.now))
        };
        if !rests(instance) {
            return None;
        }
        let others = readers(topology, need).iter().filter(|other| other.id() != instance.id());
        others.filter(|other| !rests(other)).min_by_key(|other| other.stats().connections())
    }

    /// Whether the session that waits for its turn to connect gets it now.
    pub(super) fn look(&mut self, client: usize) {
        let Doing::Queuing { to } = &self.clients[client].doing else { return };
        let to = to.clone();
        let Some(running) = &self.clients[client].statement else { return };
        let (need, began, deadline) = (running.need, running.began, running.deadline);
        let topology = Arc::clone(&self.published);
        let is_usable =
            |i: &Instance| i.epoch() == to.epoch() && i.health() == Health::Online && i.is_online();
        if !topology.instance(to.id()).is_some_and(is_usable) {
            return self.acquire(client);
        }
        if running.recovery.takes_idle()
            && let Some(lease) = self.store.take_at(&to, began)
        {
            self.sweep();
            return self.leased(client, lease);
        }
        let rate = self.config.connect_rate().and_then(NonZeroU32::new);
        let ramp = self.ramps.entry(to.id().clone()).or_insert_with(Ramp::new);
        let again = match ramp.admit(rate, to.epoch(), self.now) {
            Admission::Now(pass) => return self.connect(client, *to, pass),
            Admission::At(at) => at.min(deadline),
            Admission::AfterAnother(or_at) => or_at.unwrap_or(deadline).min(deadline),
        };
        if self.elsewhere(&topology, need, &to).is_some() {
            return self.acquire(client);
        }
        if self.now >= deadline {
            return self.ended(client, Ended::Failed);
        }
        self.enter(client, Doing::Queuing { to });
        let serial = self.clients[client].serial;
        self.queue.push(again.max(self.now), Event::Wake { client, serial });
    }

    fn connect(&mut self, client: usize, to: Instance, pass: Pass) {
        let Some(running) = &self.clients[client].statement else { return };
        let left = running.deadline.saturating_duration_since(self.now);
        let limit = self.config.connect_timeout();
        let server = to.ip().and_then(at_ip).map(Lookup::Found);
        let found = server.unwrap_or_else(|| self.look_up(to.address()));
        self.judge.see(self.now, &Seen::Connecting { instance: to.id() });
        let id = match found {
            Lookup::Found(server) => Some(self.dial(Owner::Client(client), server)),
            Lookup::NotFound | Lookup::Silent => None,
        };
        let (until, is_cut) = (self.now + limit.min(left), left < limit);
        let breaks = to.stats().breaks();
        let connecting = Connecting { id, to, breaks, pass, until, is_cut };
        self.enter(client, Doing::Connecting(Box::new(connecting)));
        if found == Lookup::NotFound {
            self.not_connected(client, ErrorKind::ConnectionLost, None);
        }
    }

    /// Something comes over a connection that is being made.
    pub(super) fn connecting_hears(&mut self, client: usize, back: &Back) {
        let Doing::Connecting(connecting) = &self.clients[client].doing else { return };
        match back {
            Back::Connected { is_writer }
                if *is_writer == (connecting.to.role() == Role::Writer) =>
            {
                self.connected(client);
            }
            Back::Connected { .. } => {
                self.not_connected(client, ErrorKind::ReadOnly, Some(Complaint::WrongRole));
            }
            Back::Refused(FailureKind::TooManyConnections) => {
                self.not_connected(client, ErrorKind::TooManyConnections, None);
            }
            Back::Refused(_) | Back::Broken => {
                let complaint = Some(Complaint::ConnectionLost);
                self.not_connected(client, ErrorKind::ConnectionLost, complaint);
            }
            Back::Reply { .. } | Back::Report(_) => {}
        }
    }

    fn connected(&mut self, client: usize) {
        let doing = std::mem::replace(&mut self.clients[client].doing, Doing::Idle);
        let Doing::Connecting(connecting) = doing else { return };
        let Some(id) = connecting.id else { return };
        let wire = Wire { id, closed: self.closed.clone() };
        let mut lease = Lease::new(wire, &connecting.to, connecting.breaks, self.now);
        let aborted = self.aborted.clone();
        self.store.watch(&mut lease, move || aborted.note(id));
        self.end_pass(connecting.to.id(), connecting.pass, End::Opened);
        if lease.is_in_epoch(&self.published) {
            return self.leased(client, lease);
        }
        drop(lease);
        self.sweep();
        self.acquire(client);
    }

    /// The session has a connection: it runs its statement over it.
    fn leased(&mut self, client: usize, lease: Lease<Wire>) {
        self.clients[client].lease = Some(lease);
        self.attempt(client);
    }

    /// There is no connection: others leave the instance alone for a while, and this one looks
    /// anew.
    pub(super) fn not_connected(
        &mut self,
        client: usize,
        kind: ErrorKind,
        complaint: Option<Complaint>,
    ) {
        let doing = std::mem::replace(&mut self.clients[client].doing, Doing::Idle);
        let Doing::Connecting(connecting) = doing else { return };
        if let Some(id) = connecting.id {
            self.hang_up(id);
        }
        let Some(running) = &self.clients[client].statement else { return };
        let has_passed = self.now >= running.deadline;
        let to = &connecting.to;
        if connecting.is_cut && has_passed && kind == ErrorKind::ConnectionLost {
            // The statement ran out of time, which is no fault of the instance.
            self.end_pass(to.id(), connecting.pass, End::Unknown);
        } else {
            self.end_pass(to.id(), connecting.pass, End::Failed(kind));
            if let Some(complaint) = complaint {
                self.complain(to.id(), to.epoch(), complaint);
            }
        }
        if has_passed {
            return self.ended(client, Ended::Failed);
        }
        self.acquire(client);
    }

    fn end_pass(&mut self, instance: &InstanceId, pass: Pass, end: End) {
        if let Some(ramp) = self.ramps.get_mut(instance) {
            ramp.end(pass, end, self.now);
        }
        for client in 0..self.clients.len() {
            if matches!(self.clients[client].doing, Doing::Queuing { .. }) {
                self.news_for(client);
            }
        }
    }

    pub(super) fn complain(&mut self, instance: &InstanceId, epoch: u64, complaint: Complaint) {
        let (instance, message) = (instance.clone(), "as a session saw".into());
        self.trace.tell(self.now, || format!("complaint about {instance} {epoch}: {complaint:?}"));
        self.fact(Input::Complained { instance, epoch, complaint, message });
    }
}

/// How long it takes until who waits has heard of a snapshot.
pub(super) const HEARD: Duration = Duration::from_micros(50);
