//! Running a statement, and what to do when that fails. The steps are those of
//! `aurora-diesel/src/recover.rs`.

use super::client::{Doing, Running, Then};
use super::invariants::Seen;
use super::outcome::Ended;
use super::queue::Event;
use super::wire::{Back, ConnectionId, Owner, Sent, Work, Wrong};
use super::workload::Statement;
use super::world::World;
use crate::engine::Complaint;
use crate::error::Outcome;
use crate::route::Need;
use crate::session::{Failure, Place, Recovery, Step, Trouble};
use crate::sql::{Target, Verdict};
use crate::topology::{Health, Topology};

impl World {
    /// A session begins a statement.
    pub(super) fn begin_statement(&mut self, client: usize, what: Statement) {
        let classification = what.sql.classification(&self.statements);
        let (now, timeout) = (self.now, self.config.failover_timeout());
        let me = &mut self.clients[client];
        me.own_fault = false;
        let need = me.session.need(&classification, Some(what.sql.text()), || now);
        me.statement = Some(Running {
            what,
            classification,
            began: now,
            deadline: now + timeout,
            need,
            recovery: Recovery::default(),
            sent_at: now,
            writer: None,
        });
        if me.session.gives_up_what_is_lost(&classification) {
            return self.ended(client, Ended::Done);
        }
        if me.session.may_commit_nothing(&classification) && me.lease.is_some() {
            let token = self.token();
            self.enter(client, Doing::Looking { token });
            return self.transmit(client, token, Work::Look);
        }
        self.acquire(client);
    }

    /// Sends the statement over the connection that is leased.
    pub(super) fn attempt(&mut self, client: usize) {
        let token = self.token();
        self.enter(client, Doing::Running { token });
        self.show_sent(client);
        let (now, writer) = (self.now, self.known_writer());
        let me = &mut self.clients[client];
        let (Some(running), Some(lease)) = (&mut me.statement, &me.lease) else { return };
        running.writer = writer;
        running.sent_at = if running.recovery.is_first_attempt() { running.began } else { now };
        if running.classification.verdict() == Verdict::Write {
            lease.stats().count_write();
        }
        running.what.breaks = lease.stats().breaks();
        let work = running.what.work;
        self.transmit(client, token, work);
    }

    fn transmit(&mut self, client: usize, token: u64, work: Work) {
        let Some(lease) = &self.clients[client].lease else { return };
        let id = lease.id;
        if self.connections[id].broken {
            // Found out at once; whether as "not sent" depends on how far the driver got.
            let trouble = if self.rng.bool() { Trouble::NotSent } else { Trouble::Lost };
            return self.failed(client, trouble);
        }
        self.send(id, Sent::Work { token, work });
    }

    /// Shows the invariants what is sent where.
    fn show_sent(&mut self, client: usize) {
        let me = &self.clients[client];
        let (Some(running), Some(lease)) = (&me.statement, &me.lease) else { return };
        let known = self.published.instance(lease.instance());
        let sent = Seen::Sent(super::invariants::Sent {
            client,
            connection: lease.id,
            began_on: me.began_on.filter(|_| me.session.in_transaction()),
            free: me.session.is_free(),
            writes: running.classification.route() == Target::Writer && running.need == Need::Write,
            role: lease.role(),
            epoch: lease.epoch(),
            known: known.map(|known| (known.role(), known.epoch())),
        });
        let text = running.what.sql.text();
        self.trace.tell(self.now, || {
            format!(
                "session {client} sends `{text}` {:?} to {} over {}",
                running.what.work,
                lease.instance(),
                lease.id
            )
        });
        self.judge.see(self.now, &sent);
    }

    /// Something comes over a connection of a session's.
    pub(super) fn client_hears(&mut self, client: usize, id: ConnectionId, back: &Back) {
        let me = &self.clients[client];
        if matches!(&me.doing, Doing::Connecting(connecting) if connecting.id == Some(id)) {
            return self.connecting_hears(client, back);
        }
        let is_mine = me.lease.as_ref().is_some_and(|lease| lease.id == id);
        match (&me.doing, back) {
            _ if !is_mine => {}
            (Doing::Running { .. } | Doing::Looking { .. }, Back::Broken) => {
                self.failed(client, Trouble::Lost);
            }
            (Doing::Running { token: mine }, Back::Reply { token, result }) if mine == token => {
                match result {
                    Ok(()) => self.succeeded(client),
                    Err(wrong) => self.failed(client, trouble(*wrong)),
                }
            }
            (Doing::Looking { token: mine }, Back::Reply { token, result }) if mine == token => {
                match result {
                    Ok(()) => self.acquire(client),
                    Err(_) => {
                        self.clients[client].own_fault = true;
                        self.ended(client, Ended::Failed);
                    }
                }
            }
            _ => {}
        }
    }

    /// The store ends a connection under whoever waits on it.
    pub(super) fn abort(&mut self, id: ConnectionId) {
        self.connections[id].broken = true;
        if let Owner::Client(client) = self.connections[id].owner {
            self.queue
                .push(self.now, Event::Back { connection: id, back: Back::Broken, tries: 99 });
            self.trace.tell(self.now, || format!("connection {id} of session {client} is ended"));
        }
    }

    fn succeeded(&mut self, client: usize) {
        let (now, me) = (self.now, &mut self.clients[client]);
        let (Some(running), Some(lease)) = (&me.statement, &mut me.lease) else { return };
        lease.prove(running.what.breaks);
        me.used_at = now;
        lease.stats().start(running.sent_at).succeeded(now);
        let (role, id) = (lease.role(), lease.id);
        let was_open = me.session.in_transaction();
        me.session.succeeded(&running.classification, role, now);
        match (was_open, me.session.in_transaction()) {
            (false, true) => me.began_on = Some(id),
            (true, false) => me.began_on = None,
            (true, true) | (false, false) => {}
        }
        self.ended(client, Ended::Done);
    }

    /// The statement failed: recovers where that is safe.
    fn failed(&mut self, client: usize, trouble: Trouble) {
        if matches!(self.clients[client].doing, Doing::Looking { .. }) {
            // The statement itself finds out about a connection that is lost.
            if let Some(lease) = &self.clients[client].lease {
                let id = lease.id;
                self.connections[id].broken = true;
            }
            return self.acquire(client);
        }
        let me = &mut self.clients[client];
        let Some(lease) = &me.lease else { return };
        let place =
            Place { instance: lease.instance().clone(), epoch: lease.epoch(), role: lease.role() };
        drop(lease.stats().start(self.now));
        if matches!(trouble, Trouble::Lost | Trouble::NotSent) {
            if let Some(lease) = me.lease.take() {
                lease.stats().broke();
            }
            self.sweep();
            self.complain(&place.instance, place.epoch, Complaint::ConnectionLost);
        }
        let (now, me) = (self.now, &mut self.clients[client]);
        me.own_fault = matches!(trouble, Trouble::Conflict | Trouble::Statement);
        let Some(running) = &mut me.statement else { return };
        let failure = Failure {
            at: now,
            classification: &running.classification,
            has_time: now < running.deadline,
            need: running.need,
            place: &place,
            // Diesel's own manager of transactions sees none of the texts we send.
            transaction_is_over: matches!(running.what.work, Work::Commit | Work::Rollback),
            trouble,
        };
        let step = running.recovery.next(&mut me.session, &failure);
        self.trace.tell(now, || {
            format!("session {client}: {trouble:?} on {}, so {}", place.instance, words(step))
        });
        self.take_step(client, step, place);
    }

    fn take_step(&mut self, client: usize, step: Step, place: Place) {
        let Some(running) = &mut self.clients[client].statement else { return };
        match step {
            Step::Again(need) => {
                running.need = need;
                self.acquire(client);
            }
            Step::AskThenAgain(need) => {
                running.need = need;
                self.release(client);
                self.doubt_role(client, place, Then::Again);
            }
            Step::AskThenFail => self.doubt_role(client, place, Then::Fail),
            Step::OnWriter => {
                running.need = Need::Write;
                self.statements.remember_write(running.what.sql);
                running.classification = running.what.sql.classification(&self.statements);
                self.acquire(client);
            }
            Step::Fail => self.ended(client, Ended::Failed),
            Step::FailLost(Outcome::Unknown) => self.ended(client, Ended::InDoubt),
            Step::FailLost(Outcome::Applied | Outcome::NotApplied) => {
                self.ended(client, Ended::Failed);
            }
        }
    }

    fn doubt_role(&mut self, client: usize, place: Place, then: Then) {
        self.complain(&place.instance, place.epoch, Complaint::WrongRole);
        let since = self.now;
        let deadline = self.clients[client].statement.as_ref().map_or(since, |r| r.deadline);
        let until = deadline.min(since + self.config.probe_timeout());
        self.enter(client, Doing::Asking { place, since, until, then });
        self.news_for(client);
    }

    pub(super) fn after_asking(&mut self, client: usize, then: Then) {
        match then {
            Then::Again => self.acquire(client),
            Then::Fail => self.ended(client, Ended::Failed),
        }
    }

    /// Whether a session waits for an answer of an instance that is known to be lost.
    pub(super) fn check_lost(&mut self, topology: &Topology) {
        for client in 0..self.clients.len() {
            let me = &self.clients[client];
            let (Doing::Running { .. }, Some(lease)) = (&me.doing, &me.lease) else { continue };
            let known = topology.instance(lease.instance());
            let is_lost = known.is_some_and(|known| {
                known.epoch() != lease.epoch() && known.health() == Health::Lost
            });
            let ended = self.connections[lease.id].broken;
            self.judge.see(self.now, &Seen::Hanging { client, on_lost: is_lost && !ended });
        }
    }
}

/// A step without its moment, which is another one in every run of a seed.
fn words(step: Step) -> String {
    match step {
        Step::Again(Need::Read { .. }) => "again as a read".to_owned(),
        Step::AskThenAgain(Need::Read { .. }) => "ask, then again as a read".to_owned(),
        other => format!("{other:?}"),
    }
}

fn trouble(wrong: Wrong) -> Trouble {
    match wrong {
        Wrong::Conflict => Trouble::Conflict,
        Wrong::ReadOnly => Trouble::ReadOnly,
        Wrong::Statement => Trouble::Statement,
    }
}
