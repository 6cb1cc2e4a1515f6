//! A database server: its state, its log, and what it says of itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::log::{RecordId, position};
use super::swarm::Kind;
use super::wire::{ConnectionId, Sent};
use super::world::World;
use crate::config::Address;
use crate::engine::{Listed, Members, Report};

/// Whether a server does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody listens; the machine says so.
    Down,
    /// The machine is gone: nobody says anything.
    Gone,
    /// Stopped in the middle of things: it says nothing, and goes on later.
    Hung,
    /// It refuses connections until it has started.
    Starting,
    Up,
}

/// What a server says of the others that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Empty,
    Garbage,
    OnlyItself,
    WithoutItself,
    WithoutWriter,
}

pub(super) const LIES: [Lie; 5] =
    [Lie::Empty, Lie::Garbage, Lie::OnlyItself, Lie::WithoutItself, Lie::WithoutWriter];

/// A commit that waits for a standby.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) length: usize,
    pub(super) connection: ConnectionId,
    pub(super) token: u64,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: Arc<str>,
    pub(super) state: State,
    pub(super) run: u64,
    pub(super) process: Arc<str>,
    pub(super) writer: bool,
    pub(super) timeline: u64,
    pub(super) follows: Option<usize>,
    /// On Aurora the log is the volume's, not this one.
    pub(super) log: Vec<RecordId>,
    pub(super) replayed: usize,
    pub(super) replay_paused: bool,
    pub(super) streaming: bool,
    pub(super) replaying: bool,
    /// How much of its log some standby has.
    pub(super) acknowledged: usize,
    pub(super) waiting: Vec<Waiting>,
    pub(super) connections: Vec<ConnectionId>,
    pub(super) max_connections: usize,
    /// What came while it was hung.
    pub(super) backlog: Vec<(ConnectionId, Sent)>,
    /// Statements that it was executing when it was hung.
    pub(super) stalled: Vec<(ConnectionId, u64, super::wire::Work)>,
    pub(super) lie: Option<Lie>,
    /// How far its clock is ahead, or behind, in milliseconds.
    pub(super) clock: i64,
    /// Whom it takes for the writer (Aurora's topology table).
    pub(super) knows_writer: usize,
}

impl Server {
    pub(super) fn new(index: usize) -> Self {
        let name = ["a", "b", "c", "d", "e"][index];
        Self {
            name: Arc::from(name),
            state: State::Up,
            run: 1,
            process: Arc::from(format!("{name} run 1")),
            writer: index == 0,
            timeline: 1,
            follows: (index > 0).then_some(0),
            log: Vec::new(),
            replayed: 0,
            replay_paused: false,
            streaming: false,
            replaying: false,
            acknowledged: 0,
            waiting: Vec::new(),
            connections: Vec::new(),
            max_connections: 100,
            backlog: Vec::new(),
            stalled: Vec::new(),
            lie: None,
            clock: 0,
            knows_writer: 0,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

/// The address of the network that a server has.
pub(super) fn ip(server: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, server as u8 + 1))
}

/// The server at an address of the network.
pub(super) fn at_ip(ip: IpAddr) -> Option<usize> {
    match ip {
        IpAddr::V4(ip) => usize::from(ip.octets()[3]).checked_sub(1),
        IpAddr::V6(_) => None,
    }
}

impl World {
    /// The log that a server writes or replays.
    pub(super) fn log(&self, server: usize) -> &[RecordId] {
        match self.swarm.kind {
            Kind::Aurora => &self.volume,
            Kind::Asynchronous | Kind::Synchronous => &self.servers[server].log,
        }
    }

    /// Whether what a server shows has that record at that place.
    pub(super) fn shows(&self, server: usize, record: RecordId, place: usize) -> bool {
        place < self.servers[server].replayed && self.log(server).get(place) == Some(&record)
    }

    /// What a server answers to a probe.
    pub(super) fn answer(&self, server: usize) -> Report {
        let me = &self.servers[server];
        let length = if me.writer { self.log(server).len() } else { me.replayed };
        let is_connected = self.streams(server);
        let is_aurora = self.swarm.kind == Kind::Aurora;
        let lag = match (me.writer, is_connected) {
            (true, _) => Some(Duration::ZERO),
            (false, true) => Some(self.lag(server, length)),
            (false, false) => None,
        };
        let incarnation = match me.follows.filter(|_| is_connected) {
            _ if is_aurora => None,
            _ if me.writer => Some(me.timeline),
            Some(upstream) => Some(self.servers[upstream].timeline),
            None => None,
        };
        Report {
            cluster: (!is_aurora).then(|| Arc::clone(&self.identity)),
            name: is_aurora.then(|| Arc::clone(&me.name)),
            server: Some(Arc::clone(&me.process)),
            ip: Some(ip(server)),
            accepts_writes: me.writer && (!is_aurora || me.knows_writer == server),
            stands_still: false,
            incarnation,
            lineage: None,
            position: self.swarm.positions.then(|| position(length)),
            lag,
            members: if is_aurora { self.list(server) } else { self.suggest(server) },
        }
    }

    /// How long ago the first record was written that a server does not show yet, by its own clock;
    /// one that is behind the writer's shows no lag at all.
    fn lag(&self, server: usize, shown: usize) -> Duration {
        let Some(missing) = self.log(server).get(shown) else { return Duration::ZERO };
        let lag = self.now.saturating_duration_since(self.appended[*missing]);
        let offset = Duration::from_millis(self.servers[server].clock.unsigned_abs());
        match self.servers[server].clock < 0 {
            true => lag.saturating_sub(offset),
            false => lag + offset,
        }
    }

    fn list(&self, server: usize) -> Members {
        let me = &self.servers[server];
        let mut rows: Vec<Listed> = Vec::new();
        for (index, other) in self.servers.iter().enumerate() {
            let is_writer = index == me.knows_writer;
            let hidden = match me.lie {
                None | Some(Lie::Garbage) => false,
                Some(Lie::Empty) => true,
                Some(Lie::OnlyItself) => index != server,
                Some(Lie::WithoutItself) => index == server,
                Some(Lie::WithoutWriter) => is_writer,
            };
            if !hidden {
                rows.push(Listed { name: Arc::clone(&other.name), is_writer });
            }
        }
        match me.lie {
            Some(Lie::Garbage) => Members::Refused("nonsense".into()),
            _ => Members::Listed(rows),
        }
    }

    fn suggest(&self, server: usize) -> Members {
        let follows =
            |other: &usize| self.servers[*other].follows == Some(server) && self.streams(*other);
        let others = (0..self.servers.len()).filter(follows);
        match self.servers[server].lie {
            Some(Lie::Garbage) => Members::Refused("nonsense".into()),
            Some(Lie::Empty | Lie::OnlyItself) => Members::Suggested(Vec::new()),
            _ => Members::Suggested(
                others.map(|other| Address::new(ip(other).to_string(), 5432)).collect(),
            ),
        }
    }
}
