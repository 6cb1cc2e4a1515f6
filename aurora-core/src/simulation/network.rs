//! The network between us and the servers, and the names by which they are found.

use std::time::{Duration, Instant};

use super::queue::Event;
use super::server::at_ip;
use super::wire::{Back, Connection, ConnectionId, Owner, Sent};
use super::world::World;
use crate::config::Address;

/// How long a message is sent again and again before the connection is given up
/// (`tcp_user_timeout`, 5 s by default).
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The first pause before a message is sent again; doubled each time, as TCP does.
const AGAIN: Duration = Duration::from_millis(200);

/// The way to one server and back.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) to_cut: bool,
    pub(super) back_cut: bool,
    pub(super) delay: Duration,
}

impl Path {
    pub(super) fn open(delay: Duration) -> Self {
        Self { to_cut: false, back_cut: false, delay }
    }
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Found(usize),
    NotFound,
    Silent,
}

/// What has become of the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Fine,
    NotFound,
    Silent,
}

impl World {
    /// Asks the resolver for a name. `cluster` is the cluster endpoint.
    pub(super) fn look_up(&self, address: &Address) -> Lookup {
        if let Ok(ip) = address.host().parse() {
            let server = at_ip(ip).filter(|server| *server < self.servers.len());
            return server.map_or(Lookup::NotFound, Lookup::Found);
        }
        match self.names {
            Names::NotFound => return Lookup::NotFound,
            Names::Silent => return Lookup::Silent,
            Names::Fine => {}
        }
        let host = address.host().trim_end_matches(".x");
        if host == "cluster" {
            return Lookup::Found(self.endpoint);
        }
        let found = self.servers.iter().position(|server| *server.name == *host);
        found.map_or(Lookup::NotFound, Lookup::Found)
    }

    /// Begins a connection to a server; what comes of it is told to the owner.
    pub(super) fn dial(&mut self, owner: Owner, server: usize) -> ConnectionId {
        let id = self.connections.len();
        self.connections.push(Connection {
            owner,
            server,
            run: 0,
            ours: true,
            broken: false,
            theirs: false,
            transaction: None,
            last_sent: self.now,
            last_back: self.now,
        });
        self.send(id, Sent::Connect);
        id
    }

    /// Our side lets go of a connection.
    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        if std::mem::replace(&mut connection.ours, false) && !connection.broken {
            self.send(id, Sent::Close);
        }
    }

    /// Sends a message to the server of a connection.
    pub(super) fn send(&mut self, id: ConnectionId, sent: Sent) {
        let delay = self.delay(self.connections[id].server);
        let connection = &mut self.connections[id];
        let at = (self.now + delay).max(connection.last_sent);
        connection.last_sent = at;
        self.queue.push(at, Event::Sent { connection: id, sent, tries: 0 });
    }

    /// A server sends a message back.
    pub(super) fn send_back(&mut self, id: ConnectionId, back: Back) {
        let delay = self.delay(self.connections[id].server);
        let connection = &mut self.connections[id];
        let at = (self.now + delay).max(connection.last_back);
        connection.last_back = at;
        self.queue.push(at, Event::Back { connection: id, back, tries: 0 });
    }

    fn delay(&mut self, server: usize) -> Duration {
        let base = self.paths[server].delay;
        let jitter = base.mul_f64(self.rng.f64() * 0.5);
        let again = if self.rng.u8(..100) < self.swarm.loss { AGAIN } else { Duration::ZERO };
        base + jitter + again
    }

    /// Whether a message to the server gets through now; if not, it comes again later.
    pub(super) fn gets_there(&mut self, id: ConnectionId, sent: Sent, tries: u32) -> bool {
        let server = self.connections[id].server;
        let is_gone = self.servers[server].state == super::server::State::Gone;
        if !self.paths[server].to_cut && !is_gone {
            return true;
        }
        if let Some(at) = self.again(tries) {
            self.queue.push(at, Event::Sent { connection: id, sent, tries: tries + 1 });
        } else if !matches!(sent, Sent::Close) {
            // Our own system gives it up: that needs no network.
            self.queue
                .push(self.now, Event::Back { connection: id, back: Back::Broken, tries: 99 });
        }
        false
    }

    /// Whether a message from the server gets through now; if not, it comes again later.
    pub(super) fn gets_back(&mut self, id: ConnectionId, back: &Back, tries: u32) -> bool {
        let server = self.connections[id].server;
        if tries == 99 || !self.paths[server].back_cut {
            return true;
        }
        match self.again(tries) {
            Some(at) => {
                let (back, tries) = (back.clone(), tries + 1);
                self.queue.push(at, Event::Back { connection: id, back, tries });
            }
            // The server's system gives the connection up.
            None => self.forget(id),
        }
        false
    }

    fn again(&self, tries: u32) -> Option<Instant> {
        let pause = AGAIN * 2_u32.saturating_pow(tries);
        (pause < USER_TIMEOUT).then(|| self.now + pause)
    }
}
