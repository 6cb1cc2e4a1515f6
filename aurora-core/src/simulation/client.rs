//! A session of an adapter: which connection serves the next statement. The steps are those of
//! `aurora-diesel/src/lease.rs`; what comes of a statement is in `recover.rs`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::invariants::Seen;
use super::log::WriteId;
use super::network::Lookup;
use super::outcome::Ended;
use super::queue::Event;
use super::server::at_ip;
use super::wire::{Back, ConnectionId, Owner, Wire};
use super::workload::Statement;
use super::world::World;
use crate::config::Freshness;
use crate::engine::{Complaint, FailureKind, Input};
use crate::route::{Need, route};
use crate::session::{Place, Recovery, Session};
use crate::sql::Classification;
use crate::store::Lease;
use crate::topology::{Instance, InstanceId, Role};

/// How long to wait for news before an instance that has just failed is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// One session and what it is doing.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) lease: Option<Lease<Wire>>,
    pub(super) used_at: Instant,
    pub(super) doing: Doing,
    /// Wakes of an earlier state come too late.
    pub(super) serial: u64,
    pub(super) statement: Option<Running>,
    pub(super) job: VecDeque<Statement>,
    /// It goes on after an error as if nothing had happened.
    pub(super) careless: bool,
    /// The statement failed by what it is, not by what befell the cluster.
    pub(super) own_fault: bool,
    pub(super) freshness: Freshness,
    /// What the open transaction has written.
    pub(super) pending: Vec<WriteId>,
    /// The connection that its transaction began on.
    pub(super) began_on: Option<ConnectionId>,
}

/// The statement under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) what: Statement,
    pub(super) classification: Classification,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    pub(super) need: Need,
    pub(super) recovery: Recovery,
    pub(super) sent_at: Instant,
}

#[derive(Debug)]
pub(super) enum Doing {
    /// Asking an instance about its role, before something else.
    Asking {
        place: Place,
        since: Instant,
        until: Instant,
        then: Then,
    },
    Connecting {
        id: ConnectionId,
        to: Box<Instance>,
        breaks: u64,
        generation: u64,
        until: Instant,
    },
    Idle,
    Looking {
        token: u64,
    },
    Pausing {
        generation: u64,
        until: Instant,
    },
    Running {
        token: u64,
    },
    Waiting,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Again,
    Fail,
}

impl World {
    /// Enters a state; earlier wakes are void.
    pub(super) fn enter(&mut self, client: usize, doing: Doing) {
        let me = &mut self.clients[client];
        me.serial += 1;
        let until = match &doing {
            Doing::Asking { until, .. } | Doing::Connecting { until, .. } => Some(*until),
            Doing::Pausing { until, .. } => Some(*until),
            Doing::Waiting => me.statement.as_ref().map(|running| running.deadline),
            Doing::Idle | Doing::Looking { .. } | Doing::Running { .. } => None,
        };
        let serial = me.serial;
        me.doing = doing;
        if let Some(at) = until {
            self.queue.push(at.max(self.now), Event::Wake { client, serial });
        }
    }

    /// A snapshot was published: whoever waits for one looks at it.
    pub(super) fn news_for(&mut self, client: usize) {
        let me = &self.clients[client];
        if matches!(me.doing, Doing::Asking { .. } | Doing::Pausing { .. } | Doing::Waiting) {
            let (at, serial) = (self.now + Duration::from_micros(50), me.serial);
            self.queue.push(at, Event::Wake { client, serial });
        }
    }

    /// Something the session waits for may have come, or its time is over.
    pub(super) fn wake(&mut self, client: usize, serial: u64) {
        if self.clients[client].serial != serial {
            return;
        }
        let now = self.now;
        match &self.clients[client].doing {
            Doing::Idle => self.next_statement(client),
            Doing::Waiting => self.acquire(client),
            Doing::Pausing { generation, until } => {
                if self.published.generation() > *generation || now >= *until {
                    self.acquire(client);
                }
            }
            Doing::Asking { place, since, until, then } => {
                let known = self.published.instance(&place.instance);
                let asked = known.is_none_or(|known| {
                    known.epoch() != place.epoch || known.confirmed_at() >= Some(*since)
                });
                let then = *then;
                if asked || now >= *until {
                    self.after_asking(client, then);
                }
            }
            Doing::Connecting { until, id, .. } if now >= *until => {
                let id = *id;
                self.hang_up(id);
                self.not_connected(client, Some(Complaint::ConnectionLost));
            }
            Doing::Connecting { .. } | Doing::Looking { .. } | Doing::Running { .. } => {}
        }
    }

    /// Sees to it that a connection is leased that may run the statement, and runs it.
    pub(super) fn acquire(&mut self, client: usize) {
        self.check_deadline(client);
        let me = &mut self.clients[client];
        if me.session.is_transaction_lost() {
            return self.ended(client, Ended::Failed);
        }
        if me.session.in_transaction() {
            return if me.lease.is_some() {
                self.attempt(client)
            } else {
                self.ended(client, Ended::Failed)
            };
        }
        if !me.session.is_free() {
            return self.keep_pinned(client);
        }
        self.acquire_free(client);
    }

    fn acquire_free(&mut self, client: usize) {
        let topology = std::sync::Arc::clone(&self.published);
        let me = &mut self.clients[client];
        let Some(running) = &me.statement else { return };
        let (need, began, deadline) = (running.need, running.began, running.deadline);
        let fallback = self.config.reader_fallback();
        let Ok((instance, _)) = route(&topology, need, fallback, &*self.policy) else {
            self.release(client);
            if self.now >= deadline {
                return self.ended(client, Ended::Failed);
            }
            return self.enter(client, Doing::Waiting);
        };
        if me.lease.as_ref().is_some_and(|lease| lease.is_current(instance)) {
            return self.attempt(client);
        }
        let idle = self.store.take(instance, began);
        self.release(client);
        if idle.is_some() {
            self.clients[client].lease = idle;
            return self.attempt(client);
        }
        let timeout =
            self.config.connect_timeout().min(deadline.saturating_duration_since(self.now));
        let breaks = instance.stats().breaks();
        let server = instance.ip().and_then(at_ip).map(Lookup::Found);
        let found = server.unwrap_or_else(|| self.look_up(instance.address()));
        let (until, generation) = (self.now + timeout, topology.generation());
        self.judge.see(self.now, &Seen::Connecting { instance: instance.id() });
        let Lookup::Found(server) = found else {
            return self.refused(client, instance, generation, Some(Complaint::ConnectionLost));
        };
        let id = self.dial(Owner::Client(client), server);
        let to = Box::new(instance.clone());
        self.enter(client, Doing::Connecting { id, to, breaks, generation, until });
    }

    /// Session state ties the session to its connection, dead or alive.
    fn keep_pinned(&mut self, client: usize) {
        let me = &mut self.clients[client];
        if let Some(lease) = &me.lease {
            let known = self.published.instance(lease.instance());
            if known.is_some_and(|known| known.epoch() == lease.epoch()) {
                return self.attempt(client);
            }
        }
        me.lease = None;
        me.session.disconnected();
        self.sweep();
        self.ended(client, Ended::Failed);
    }

    /// Something comes over a connection that is being made.
    pub(super) fn connecting_hears(&mut self, client: usize, back: &Back) {
        let Doing::Connecting { id, to, breaks, .. } = &self.clients[client].doing else { return };
        let (id, breaks) = (*id, *breaks);
        match back {
            Back::Connected { is_writer } if *is_writer == (to.role() == Role::Writer) => {
                let wire = Wire { id, closed: self.closed.clone() };
                let mut lease = Lease::new(wire, to, breaks, self.now);
                let aborted = self.aborted.clone();
                self.store.watch(&mut lease, move || aborted.note(id));
                self.clients[client].lease = Some(lease);
                self.attempt_if_current(client);
            }
            Back::Connected { .. } => {
                self.hang_up(id);
                self.not_connected(client, Some(Complaint::WrongRole));
            }
            Back::Refused(FailureKind::TooManyConnections) => self.not_connected(client, None),
            Back::Refused(_) | Back::Broken => {
                self.not_connected(client, Some(Complaint::ConnectionLost));
            }
            Back::Reply { .. } | Back::Report(_) => {}
        }
    }

    /// Runs the statement on the connection that was just made.
    fn attempt_if_current(&mut self, client: usize) {
        self.attempt(client);
    }

    pub(super) fn not_connected(&mut self, client: usize, complaint: Option<Complaint>) {
        let doing = std::mem::replace(&mut self.clients[client].doing, Doing::Idle);
        let Doing::Connecting { to, generation, .. } = doing else { return };
        self.refused(client, &to, generation, complaint);
    }

    /// No connection could be made: tries again after news, or a little pause.
    fn refused(
        &mut self,
        client: usize,
        instance: &Instance,
        generation: u64,
        complaint: Option<Complaint>,
    ) {
        if let Some(complaint) = complaint {
            self.complain(instance.id(), instance.epoch(), complaint);
        }
        let Some(running) = &self.clients[client].statement else { return };
        let deadline = running.deadline;
        if self.now >= deadline {
            self.check_deadline(client);
            return self.ended(client, Ended::Failed);
        }
        let until = deadline.min(self.now + PAUSE);
        self.enter(client, Doing::Pausing { generation, until });
    }

    pub(super) fn complain(&mut self, instance: &InstanceId, epoch: u64, complaint: Complaint) {
        let (instance, message) = (instance.clone(), "as a session saw".into());
        self.trace.tell(self.now, || format!("complaint about {instance} {epoch}: {complaint:?}"));
        self.fact(Input::Complained { instance, epoch, complaint, message });
    }

    /// Gives the connection back to the store if others may use it; else closes it.
    pub(super) fn release(&mut self, client: usize) {
        let me = &mut self.clients[client];
        if let Some(lease) = me.lease.take() {
            if me.session.is_free() && !self.connections[lease.id].broken {
                self.store.put(lease, me.used_at);
            }
            self.sweep();
        }
    }

    /// What waited must not have waited past its deadline.
    pub(super) fn check_deadline(&mut self, client: usize) {
        let Some(running) = &self.clients[client].statement else { return };
        let limit = running.deadline.max(self.frozen_until);
        let late = self.now.saturating_duration_since(limit);
        self.judge.see(self.now, &Seen::Waited { client, late });
    }
}
