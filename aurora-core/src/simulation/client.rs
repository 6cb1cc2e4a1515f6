//! A session of an adapter: which connection serves the next statement. The steps are those of
//! `aurora-diesel/src/lease.rs`; what comes of a statement is in `recover.rs`.

use std::collections::VecDeque;
use std::time::Instant;

use super::connect::{Connecting, HEARD};
use super::invariants::Seen;
use super::log::WriteId;
use super::outcome::Ended;
use super::queue::Event;
use super::wire::{ConnectionId, Wire};
use super::workload::Statement;
use super::world::World;
use crate::config::Freshness;
use crate::engine::{Complaint, Input};
use crate::error::ErrorKind;
use crate::route::{Because, Need, route_staying};
use crate::session::{Place, Recovery, Session};
use crate::sql::Classification;
use crate::store::Lease;
use crate::topology::Instance;

/// One session and what it is doing.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) lease: Option<Lease<Wire>>,
    pub(super) used_at: Instant,
    pub(super) doing: Doing,
    /// Since when it does that.
    pub(super) since: Instant,
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
    /// Whom we took for the writer when it was sent.
    pub(super) writer: Option<usize>,
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
    Connecting(Box<Connecting>),
    Idle,
    Looking {
        token: u64,
    },
    /// It waits for its turn to connect.
    Queuing {
        to: Box<Instance>,
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
            Doing::Asking { until, .. } => Some(*until),
            Doing::Connecting(connecting) => Some(connecting.until),
            Doing::Waiting => me.statement.as_ref().map(|running| running.deadline),
            Doing::Idle | Doing::Looking { .. } | Doing::Queuing { .. } | Doing::Running { .. } => {
                None
            }
        };
        let serial = me.serial;
        (me.doing, me.since) = (doing, self.now);
        if let Some(at) = until {
            self.queue.push(at.max(self.now), Event::Wake { client, serial });
        }
    }

    /// A snapshot was published: whoever waits for one looks at it.
    pub(super) fn news_for(&mut self, client: usize) {
        let me = &self.clients[client];
        if matches!(me.doing, Doing::Asking { .. } | Doing::Queuing { .. } | Doing::Waiting) {
            let (at, serial) = (self.now + HEARD, me.serial);
            self.queue.push(at, Event::Wake { client, serial });
        }
    }

    /// Something the session waits for may have come, or its time is over.
    pub(super) fn wake(&mut self, client: usize, serial: u64) {
        if self.clients[client].serial != serial {
            return;
        }
        if !matches!(self.clients[client].doing, Doing::Idle) {
            self.check_deadline(client);
        }
        let now = self.now;
        match &self.clients[client].doing {
            Doing::Idle => self.next_statement(client),
            Doing::Waiting => self.acquire(client),
            Doing::Queuing { .. } => self.look(client),
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
            Doing::Connecting(connecting) if now >= connecting.until => {
                let complaint = Some(Complaint::ConnectionLost);
                self.not_connected(client, ErrorKind::ConnectionLost, complaint);
            }
            Doing::Connecting(_) | Doing::Looking { .. } | Doing::Running { .. } => {}
        }
    }

    /// Sees to it that a connection is leased that may run the statement, and runs it.
    pub(super) fn acquire(&mut self, client: usize) {
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
        let takes_idle = running.recovery.takes_idle();
        let fallback = self.config.reader_fallback();
        let stays = me.session.reader();
        let Ok((instance, because)) =
            route_staying(&topology, need, fallback, &*self.policy, stays)
        else {
            self.release(client);
            if self.now >= deadline {
                return self.ended(client, Ended::Failed);
            }
            return self.enter(client, Doing::Waiting);
        };
        if let (Because::NotFresh, Need::Read { fresh_as_of: Some(required) }) = (because, need) {
            self.fact(Input::Wanted { required });
        }
        let me = &mut self.clients[client];
        me.session.settle(instance.id(), instance.role());
        if me.lease.as_ref().is_some_and(|lease| lease.is_current(instance)) {
            return self.attempt(client);
        }
        let idle = takes_idle.then(|| self.store.take_at(instance, began)).flatten();
        self.release(client);
        if idle.is_some() {
            self.clients[client].lease = idle;
            return self.attempt(client);
        }
        let other = self.elsewhere(&topology, need, instance);
        let to = Box::new(other.unwrap_or(instance).clone());
        self.enter(client, Doing::Queuing { to });
        self.look(client);
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
        let limit = running.deadline.max(self.frozen_until).max(self.clients[client].since);
        let late = self.now.saturating_duration_since(limit);
        self.judge.see(self.now, &Seen::Waited { client, late });
    }
}
