//! What a server does with what it is sent.

use std::time::Duration;

use super::log::{Record, Transaction, WriteId};
use super::queue::{Deed, Event};
use super::server::State;
use super::swarm::Kind;
use super::wire::{Back, ConnectionId, Sent, Work, Wrong};
use super::world::World;
use crate::engine::FailureKind;

/// How long a login takes.
const LOGIN: Duration = Duration::from_millis(2);

impl World {
    /// A message reaches the server.
    pub(super) fn arrived(&mut self, id: ConnectionId, sent: Sent, tries: u32) {
        if !self.gets_there(id, sent, tries) {
            return;
        }
        let server = self.connections[id].server;
        match self.servers[server].state {
            State::Up => self.serve(id, sent),
            State::Hung => self.servers[server].backlog.push((id, sent)),
            State::Starting if matches!(sent, Sent::Connect) => {
                self.send_back(id, Back::Refused(FailureKind::NotReady));
            }
            State::Down if matches!(sent, Sent::Connect) => {
                self.send_back(id, Back::Refused(FailureKind::Refused));
            }
            State::Down | State::Gone | State::Starting => match sent {
                Sent::Close => {}
                Sent::Ask | Sent::Connect | Sent::Work { .. } => self.send_back(id, Back::Broken),
            },
        }
    }

    /// A server that works deals with a message.
    pub(super) fn serve(&mut self, id: ConnectionId, sent: Sent) {
        let server = self.connections[id].server;
        if matches!(sent, Sent::Connect) {
            return self.accept(id, server);
        }
        let connection = &self.connections[id];
        if !connection.theirs || connection.run != self.servers[server].run {
            return match sent {
                Sent::Close => {}
                Sent::Ask | Sent::Connect | Sent::Work { .. } => self.send_back(id, Back::Broken),
            };
        }
        match sent {
            Sent::Ask => {
                let report = Box::new(self.answer(server));
                self.send_back(id, Back::Report(report));
            }
            Sent::Close | Sent::Connect => self.forget(id),
            Sent::Work { token, work } => {
                let at = self.now + self.jittered(Duration::from_micros(300));
                self.queue.push(at, Event::Execute { connection: id, token, work });
            }
        }
    }

    fn accept(&mut self, id: ConnectionId, server: usize) {
        let me = &mut self.servers[server];
        if me.connections.len() >= me.max_connections {
            return self.send_back(id, Back::Refused(FailureKind::TooManyConnections));
        }
        me.connections.push(id);
        let is_writer = me.writer;
        let connection = &mut self.connections[id];
        (connection.theirs, connection.run) = (true, me.run);
        connection.last_back += LOGIN;
        self.send_back(id, Back::Connected { is_writer });
    }

    /// The server's side of a connection ends, and its transaction with it.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        connection.theirs = false;
        connection.transaction = None;
        self.servers[connection.server].connections.retain(|other| *other != id);
    }

    /// The server executes a statement.
    pub(super) fn execute(&mut self, id: ConnectionId, token: u64, work: Work) {
        let connection = &self.connections[id];
        let server = connection.server;
        if !connection.theirs || connection.run != self.servers[server].run {
            return;
        }
        if self.servers[server].state == State::Hung {
            return self.servers[server].stalled.push((id, token, work));
        }
        let commits = match self.perform(id, server, work) {
            Ok(commits) => commits,
            Err(wrong) => {
                if let Some(transaction) = &mut self.connections[id].transaction {
                    transaction.aborted = true;
                }
                return self.send_back(id, Back::Reply { token, result: Err(wrong) });
            }
        };
        match commits {
            None => self.send_back(id, Back::Reply { token, result: Ok(()) }),
            Some(writes) => self.commit(id, server, token, writes),
        }
    }

    /// Does what a statement says; returns what is to be committed.
    fn perform(
        &mut self,
        id: ConnectionId,
        server: usize,
        work: Work,
    ) -> Result<Option<Vec<WriteId>>, Wrong> {
        let is_writer = self.servers[server].writer;
        let open = &mut self.connections[id].transaction;
        let aborted = open.as_ref().is_some_and(|transaction| transaction.aborted);
        match work {
            Work::Commit => {
                let ended = open.take().unwrap_or_default();
                // A COMMIT of an aborted transaction rolls it back, and is no error.
                Ok((!ended.aborted && !ended.writes.is_empty()).then_some(ended.writes))
            }
            Work::Rollback => {
                *open = None;
                Ok(None)
            }
            _ if aborted => Err(Wrong::Statement),
            Work::Begin { read_only } => {
                *open = Some(Transaction { read_only, ..Transaction::default() });
                Ok(None)
            }
            Work::Fail => Err(Wrong::Statement),
            Work::Look | Work::Set => Ok(None),
            Work::Read => {
                if !is_writer && self.rng.u8(..200) == 0 {
                    return Err(Wrong::Conflict);
                }
                self.read_here(id, server);
                Ok(None)
            }
            Work::Write(write) => match open {
                _ if !is_writer => Err(Wrong::ReadOnly),
                Some(transaction) if transaction.read_only => Err(Wrong::ReadOnly),
                Some(transaction) => {
                    transaction.writes.push(write);
                    Ok(None)
                }
                None => Ok(Some(vec![write])),
            },
        }
    }

    fn commit(&mut self, id: ConnectionId, server: usize, token: u64, writes: Vec<WriteId>) {
        if self.swarm.kind == Kind::Aurora && self.rightful != server {
            // The storage takes no writes of a writer whose time is over: it starts anew.
            self.crash(server, State::Down);
            let at = self.now + Duration::from_millis(500);
            return self.queue.push(at, Event::Operate(Deed::Rejoin { server }));
        }
        let length = self.append(server, Record { writes });
        if self.swarm.kind == Kind::Synchronous && self.servers.len() > 1 {
            let waiting = super::server::Waiting { length, connection: id, token };
            return self.servers[server].waiting.push(waiting);
        }
        self.promised[server] = self.promised[server].max(length);
        self.send_back(id, Back::Reply { token, result: Ok(()) });
    }

    /// The process of a server ends; where the machine is there, it tells everybody.
    pub(super) fn crash(&mut self, server: usize, state: State) {
        let me = &mut self.servers[server];
        me.state = state;
        me.waiting.clear();
        me.backlog.clear();
        me.stalled.clear();
        let open = std::mem::take(&mut me.connections);
        for id in open {
            self.connections[id].theirs = false;
            self.connections[id].transaction = None;
            if state == State::Down {
                self.send_back(id, Back::Broken);
            }
        }
        let name = &self.servers[server].name;
        self.trace.tell(self.now, || format!("server {name}: {state:?}"));
    }
}
