//! Virtual time: carries the engine's probes to the fake servers, and their answers back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::defaults;
use super::server::{Server, State};
use crate::config::Address;
use crate::engine::{Complaint, Engine, FailureKind, Input, Output, ProbeFailure, Settings, Slot};
use crate::event::Event;
use crate::topology::{Health, Instance, Role, Topology};

/// What is under way.
enum Coming {
    /// An answer, if the server still gives it when it is due.
    Answer {
        slot: Slot,
        address: Address,
        asked_at: Instant,
    },
    Fact(Input),
}

pub(super) struct World {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) engine: Engine,
    /// Where names lead to.
    pub(super) dns: HashMap<String, &'static str>,
    pub(super) servers: HashMap<&'static str, Server>,
    pub(super) first: Arc<Topology>,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) snapshots: Vec<(Instant, Arc<Topology>)>,
    pub(super) probes: Vec<(Instant, Address)>,
    /// A monitor that panics at every order.
    pub(super) monitors_die: bool,
    open: HashSet<Slot>,
    slots: HashMap<Slot, Address>,
    coming: BTreeMap<(Instant, u64), Coming>,
    sequence: u64,
    woken_at: Instant,
    rng: fastrand::Rng,
}

impl World {
    pub(super) fn new(settings: Settings, configured: &[&str]) -> Self {
        Self::seeded(settings, configured, 1)
    }

    pub(super) fn seeded(settings: Settings, configured: &[&str], seed: u64) -> Self {
        let start = Instant::now();
        let addresses: Vec<_> = configured.iter().map(|host| Address::new(*host, 5432)).collect();
        let engine = Engine::new(settings, &addresses, seed, start);
        Self {
            start,
            now: start,
            first: engine.topology(),
            engine,
            dns: HashMap::new(),
            servers: HashMap::new(),
            events: Vec::new(),
            snapshots: Vec::new(),
            probes: Vec::new(),
            monitors_die: false,
            open: HashSet::new(),
            slots: HashMap::new(),
            coming: BTreeMap::new(),
            sequence: 0,
            woken_at: start,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// A PostgreSQL cluster "a", "b", "c" whose writer is "a", settled.
    pub(super) fn postgres() -> Self {
        Self::settled(defaults(), 1)
    }

    /// The same with other chances.
    pub(super) fn postgres_seeded(seed: u64) -> Self {
        Self::settled(defaults(), seed)
    }

    /// The same with other settings.
    pub(super) fn settled(settings: Settings, seed: u64) -> Self {
        let mut world = Self::seeded(settings, &["a", "b", "c"], seed);
        for (ip, host) in (1..).zip(["a", "b", "c"]) {
            world.serve(host, Server::postgres(ip));
        }
        world.server("a").promote(1);
        world.advance(Duration::from_secs(3));
        assert_eq!(world.writer(), Some("a"));
        world
    }

    pub(super) fn serve(&mut self, host: &'static str, server: Server) {
        self.dns.insert(host.to_owned(), host);
        self.servers.insert(host, server);
    }

    pub(super) fn server(&mut self, host: &str) -> &mut Server {
        self.servers.get_mut(host).expect("a server of that name")
    }

    /// The server's process dies: connections break, new ones are refused.
    pub(super) fn crash(&mut self, host: &str) {
        self.server(host).state = State::Fails(FailureKind::Refused);
        self.hang_up(host);
    }

    /// Every monitoring connection to the server breaks.
    pub(super) fn hang_up(&mut self, host: &str) {
        let broken: Vec<Slot> = self.open.iter().copied().collect();
        for slot in broken {
            if self.slots.get(&slot).is_some_and(|a| self.dns.get(a.host()) == Some(&host)) {
                self.open.remove(&slot);
                self.handle(Input::Disconnected { slot, message: "connection reset".into() });
            }
        }
    }

    pub(super) fn complain(&mut self, id: &str, epoch: u64, complaint: Complaint) {
        let message = "as told by an adapter".into();
        self.handle(Input::Complained { instance: id.into(), epoch, complaint, message });
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        let mut idle = 0;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            match self.coming.first_key_value() {
                Some((&(due, _), _)) if due <= self.now => self.deliver(),
                _ => {
                    idle = if at <= self.woken_at { idle + 1 } else { 0 };
                    self.woken_at = at;
                    assert!(idle < 100, "it wants to be woken in the past for ever");
                    self.handle(Input::Tick);
                }
            }
        }
        self.now = end;
    }

    /// Advances until `done`; panics after `limit`. Returns how long it took.
    pub(super) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let began = self.now;
        while !done(self) {
            assert!(self.now - began <= limit, "not within {limit:?}: {:#?}", self.topology());
            let next = self.next().map_or(self.now + limit, |at| at.max(self.now));
            self.advance((next - self.now).max(Duration::from_micros(100)));
        }
        self.now - began
    }

    fn next(&self) -> Option<Instant> {
        let coming = self.coming.first_key_value().map(|(&(at, _), _)| at);
        coming.into_iter().chain(self.engine.next_wake()).min()
    }

    pub(super) fn handle(&mut self, input: Input) {
        let before = self.topology();
        let mut out = Vec::new();
        self.engine.handle(self.now, input, &mut out);
        for output in out {
            self.carry_out(output);
        }
        self.check(&before);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Announce(event) => self.events.push((self.now, event)),
            Output::Publish(topology) => self.snapshots.push((self.now, topology)),
            Output::Retire { slot } => {
                self.open.remove(&slot);
                self.slots.remove(&slot);
            }
            Output::Probe { slot, address, timeout, hedge } => {
                self.probes.push((self.now, address.clone()));
                if self.monitors_die {
                    let died = Input::MonitorDied { slot, reason: "a bug".to_owned() };
                    self.push(self.now, Coming::Fact(died));
                } else {
                    self.ask(slot, address, timeout, hedge);
                }
            }
        }
    }

    /// What the monitor of that slot would do.
    fn ask(&mut self, slot: Slot, address: Address, timeout: Duration, hedge: Duration) {
        if self.slots.insert(slot, address.clone()).is_some_and(|before| before != address) {
            self.open.remove(&slot);
        }
        let (asked_at, timeout) = match self.open.contains(&slot) {
            true => (self.now, timeout),
            false => (self.now, Duration::from_secs(2)),
        };
        let server = self.dns.get(address.host()).and_then(|host| self.servers.get(host));
        let (state, latency, stalled) = server
            .map_or((State::Fails(FailureKind::Other), Duration::from_millis(1), 0), |server| {
                (server.state, server.latency, server.stalled)
            });
        // A try that stalls is left, and another one made beside it.
        let mut answered_after = latency;
        let mut asked_at = asked_at;
        while state == State::Up && self.rng.u8(..100) < stalled {
            answered_after += hedge;
            asked_at += hedge;
        }
        let (after, kind) = match state {
            State::MonitorStuck => return,
            State::Up if answered_after < timeout => {
                return self
                    .push(self.now + answered_after, Coming::Answer { slot, address, asked_at });
            }
            State::Hung | State::Up => (timeout, FailureKind::Silent),
            State::Fails(kind) => (latency, kind),
        };
        self.open.remove(&slot);
        let failure = ProbeFailure { kind, message: format!("{kind:?}").into() };
        let asked_at = self.now;
        self.push(self.now + after, Coming::Fact(Input::Unreachable { slot, asked_at, failure }));
    }

    pub(super) fn tell_later(&mut self, at: Instant, input: Input) {
        self.push(at, Coming::Fact(input));
    }

    /// The engine died of a bug: another one takes its place, with monitors of its own.
    pub(super) fn replace_engine(&mut self) {
        self.engine = self.engine.successor(2, self.now);
        self.open.clear();
        self.slots.clear();
        self.coming.clear();
    }

    fn push(&mut self, at: Instant, coming: Coming) {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), coming);
    }

    fn deliver(&mut self) {
        let Some((_, coming)) = self.coming.pop_first() else { return };
        let (slot, address, asked_at) = match coming {
            Coming::Fact(input) => return self.handle(input),
            Coming::Answer { slot, address, asked_at } => (slot, address, asked_at),
        };
        let server = self.dns.get(address.host()).and_then(|host| self.servers.get(host));
        let Some(server) = server.filter(|server| server.state == State::Up) else {
            let failure = ProbeFailure { kind: FailureKind::Reset, message: "reset".into() };
            return self.handle(Input::Unreachable { slot, asked_at, failure });
        };
        let (report, hangs_up) = (server.report(), server.hangs_up);
        if self.slots.get(&slot) == Some(&address) {
            self.open.insert(slot);
        }
        self.handle(Input::Answered { slot, asked_at, report });
        if hangs_up && self.open.remove(&slot) {
            self.handle(Input::Disconnected { slot, message: "hung up".into() });
        }
    }

    /// What must hold after every step.
    fn check(&self, before: &Topology) {
        let after = self.topology();
        let writers = after.instances().iter().filter(|i| i.role() == Role::Writer).count();
        assert!(writers <= 1, "two writers: {after:#?}");
        assert!(!after.instances().is_empty(), "shrunk to nothing");
        let rise = u64::from(after.differs_from(before));
        assert_eq!(after.generation(), before.generation() + rise, "{before:#?} {after:#?}");
    }

    pub(super) fn topology(&self) -> Arc<Topology> {
        self.engine.topology()
    }

    pub(super) fn writer(&self) -> Option<&'static str> {
        let topology = self.topology();
        let writer = topology.writer()?.id().as_str().trim_end_matches(":5432").to_owned();
        self.servers.keys().find(|host| **host == writer).copied()
    }

    /// The instance called `name`, or at the default port of the host `name`.
    pub(super) fn find(&self, name: &str) -> Option<Instance> {
        let topology = self.topology();
        let full = format!("{name}:5432");
        let found = topology.instances().iter().find(|i| [name, &full].contains(&i.id().as_str()));
        found.cloned()
    }

    pub(super) fn instance(&self, name: &str) -> Instance {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.topology()))
    }

    pub(super) fn is(&self, name: &str, role: Role, health: Health) -> bool {
        self.find(name).is_some_and(|i| (i.role(), i.health()) == (role, health))
    }

    pub(super) fn slot(&self, name: &str) -> Slot {
        let address = self.instance(name).address().clone();
        let found = self.slots.iter().find(|(_, at)| **at == address);
        *found.expect("it was asked").0
    }

    /// How often `host` was asked in the last `span`.
    pub(super) fn asked(&self, host: &str, span: Duration) -> usize {
        let recent = self.probes.iter().filter(|(at, _)| *at + span > self.now);
        recent.filter(|(_, address)| address.host() == host).count()
    }
}
