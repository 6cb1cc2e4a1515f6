//! What a statement came to, and what a read saw.

use super::invariants::Seen;
use super::log::{RecordId, Told, WriteId};
use super::server::at_ip;
use super::wire::{ConnectionId, Work};
use super::workload::ROLLBACK;
use super::world::World;
use crate::config::Freshness;
use crate::route::Need;
use crate::topology::Role;

/// How a statement ended, as the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    /// With an error that says it was not applied.
    Failed,
    /// With an error that says nobody knows.
    InDoubt,
}

impl World {
    /// The statement under way has ended.
    #[track_caller]
    pub(super) fn ended(&mut self, client: usize, how: Ended) {
        let Some(running) = self.clients[client].statement.take() else { return };
        let now = self.now;
        let (work, text) = (running.what.work, running.what.sql.text());
        let from = std::panic::Location::caller();
        self.trace.tell(now, || {
            format!("session {client}: `{text}` ended: {how:?} ({}:{})", from.file(), from.line())
        });
        self.note_fate(client, work, how);
        let good = how == Ended::Done || self.clients[client].own_fault;
        self.judge.see(now, &Seen::Ended { client, began: running.began, good });
        let me = &mut self.clients[client];
        let lost = me.session.is_transaction_lost();
        if how != Ended::Done && (lost || !me.careless) {
            me.job.clear();
            if lost || me.session.in_transaction() {
                me.job.push_back(ROLLBACK);
            }
        } else if how != Ended::Done && me.job.is_empty() && me.session.in_transaction() {
            me.job.push_back(ROLLBACK);
        }
        self.rest(client);
    }

    /// Notes what the application now believes of its writes.
    fn note_fate(&mut self, client: usize, work: Work, how: Ended) {
        let told = match how {
            Ended::Done => Told::Applied,
            Ended::Failed => Told::NotApplied,
            Ended::InDoubt => Told::Unknown,
        };
        let me = &mut self.clients[client];
        let is_open = me.session.in_transaction();
        match work {
            Work::Write(write) if how == Ended::Done && is_open => me.pending.push(write),
            Work::Write(write) => self.tell(client, write, told),
            Work::Commit if how != Ended::Failed || !is_open => self.tell_all(client, told),
            Work::Rollback if how == Ended::Done => self.tell_all(client, Told::NotApplied),
            _ => {}
        }
        let lost = self.clients[client].session.is_transaction_lost();
        if lost && !matches!(work, Work::Commit) {
            self.tell_all(client, Told::NotApplied);
        }
    }

    fn tell_all(&mut self, client: usize, told: Told) {
        for write in std::mem::take(&mut self.clients[client].pending) {
            self.tell(client, write, told);
        }
    }

    fn tell(&mut self, client: usize, write: WriteId, told: Told) {
        self.writes[write].told = told;
        if told != Told::Applied {
            return;
        }
        self.acknowledged += 1;
        let record = self.writes[write].records.first().copied();
        self.judge.see(self.now, &Seen::Acknowledged { write, is_written: record.is_some() });
        let Some((record, place)) = record else { return };
        let me = &self.clients[client];
        if me.lease.as_ref().is_some_and(|lease| lease.role() == Role::Reader) {
            // By a function nobody knows, on a reader that was promoted before anybody heard of it:
            // that such a write is not waited for is a known limit.
            return;
        }
        self.own[client] = Some((record, place));
        self.known.push((self.now, record, place));
    }

    /// A server executes a read: what must it show, and does it?
    pub(super) fn read_here(&mut self, id: ConnectionId, server: usize) {
        let Some(client) = self.holder(id) else { return };
        let me = &self.clients[client];
        let Some(running) = me.statement.as_ref().filter(|_| !me.session.in_transaction()) else {
            return;
        };
        let (need, writer) = (running.need, running.writer);
        if !matches!(running.what.work, Work::Read) {
            return;
        }
        if me.freshness == Freshness::Session
            && let Some((record, place)) =
                self.own[client].filter(|own| self.still_there(writer, *own))
        {
            let visible = self.shows(server, record, place);
            self.judge.see(self.now, &Seen::ReadOwn { client, visible });
        }
        let continued =
            self.tokens.continues[client].filter(|record| self.still_there(writer, *record));
        if let Some((record, place)) = continued {
            let visible = self.shows(server, record, place);
            self.judge.see(self.now, &Seen::ReadOwn { client, visible });
        }
        if let Need::Read { fresh_as_of: Some(moment) } = need {
            let count = self.known.partition_point(|(at, _, _)| *at < moment);
            let known = self.known[..count].iter().rev().take(32);
            let must = known.map(|(_, record, place)| (*record, *place));
            let visible = must
                .filter(|record| self.still_there(writer, *record))
                .all(|(record, place)| self.shows(server, record, place));
            self.judge.see(self.now, &Seen::ReadBounded { client, visible });
        }
    }

    /// Whom we take for the writer, in use or not.
    pub(super) fn known_writer(&self) -> Option<usize> {
        let mut all = self.published.instances().iter();
        let writer = all.find(|instance| instance.role() == Role::Writer);
        writer.and_then(|writer| writer.ip()).and_then(at_ip)
    }

    /// Whether the server that we took for the writer has the record: where nothing promises that
    /// it outlives a failover, what went with the old writer cannot be read.
    pub(super) fn still_there(
        &self,
        writer: Option<usize>,
        (record, place): (RecordId, usize),
    ) -> bool {
        writer.is_some_and(|server| self.log(server).get(place) == Some(&record))
    }
}
