//! Virtual time: carries the engine's probes to the fake servers, and their answers back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::defaults;
use super::monitor::Try;
use super::server::{Server, State};
use crate::config::Address;
use crate::engine::{Complaint, Engine, FailureKind, Input, Output, ProbeFailure, Settings, Slot};
use crate::event::Event;
use crate::topology::{Health, Instance, Role, Topology};

/// What is under way.
pub(super) enum Coming {
    /// An answer, if the server still gives it when it is due.
    Answer {
        slot: Slot,
        address: Address,
        asked_at: Instant,
    },
    Fact(Input),
    /// Another try of a question that a hung server has not answered.
    Try(Try),
}

pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) engine: Engine,
    /// Where names lead to.
    pub(crate) dns: HashMap<String, &'static str>,
    pub(crate) servers: HashMap<&'static str, Server>,
    pub(crate) first: Arc<Topology>,
    pub(crate) events: Vec<(Instant, Event)>,
    pub(crate) snapshots: Vec<(Instant, Arc<Topology>)>,
    pub(crate) probes: Vec<(Instant, Address)>,
    /// A monitor that panics at every order.
    pub(crate) monitors_die: bool,
    pub(super) open: HashSet<Slot>,
    pub(super) slots: HashMap<Slot, Address>,
    coming: BTreeMap<(Instant, u64), Coming>,
    sequence: u64,
    woken_at: Instant,
    pub(super) rng: fastrand::Rng,
}

impl World {
    pub(crate) fn new(settings: Settings, configured: &[&str]) -> Self {
        Self::seeded(settings, configured, 1)
    }

    pub(crate) fn seeded(settings: Settings, configured: &[&str], seed: u64) -> Self {
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
    pub(crate) fn postgres() -> Self {
        Self::settled(defaults(), 1)
    }

    /// The same with other chances.
    pub(crate) fn postgres_seeded(seed: u64) -> Self {
        Self::settled(defaults(), seed)
    }

    /// The same with other settings.
    pub(crate) fn settled(settings: Settings, seed: u64) -> Self {
        let mut world = Self::seeded(settings, &["a", "b", "c"], seed);
        for (ip, host) in (1..).zip(["a", "b", "c"]) {
            world.serve(host, Server::postgres(ip));
        }
        world.server("a").promote(1);
        world.advance(Duration::from_secs(3));
        assert_eq!(world.writer(), Some("a"));
        world
    }

    pub(crate) fn serve(&mut self, host: &'static str, server: Server) {
        self.dns.insert(host.to_owned(), host);
        self.servers.insert(host, server);
    }

    pub(crate) fn server(&mut self, host: &str) -> &mut Server {
        self.servers.get_mut(host).expect("a server of that name")
    }

    /// The server's process dies: connections break, new ones are refused.
    pub(crate) fn crash(&mut self, host: &str) {
        self.server(host).state = State::Fails(FailureKind::Refused);
        self.hang_up(host);
    }

    /// Every monitoring connection to the server breaks.
    pub(crate) fn hang_up(&mut self, host: &str) {
        let broken: Vec<Slot> = self.open.iter().copied().collect();
        for slot in broken {
            if self.slots.get(&slot).is_some_and(|a| self.dns.get(a.host()) == Some(&host)) {
                self.open.remove(&slot);
                self.handle(Input::Disconnected { slot, message: "connection reset".into() });
            }
        }
    }

    pub(crate) fn complain(&mut self, id: &str, epoch: u64, complaint: Complaint) {
        let message = "as told by an adapter".into();
        self.handle(Input::Complained { instance: id.into(), epoch, complaint, message });
    }

    pub(crate) fn advance(&mut self, by: Duration) {
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
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let began = self.now;
        while !done(self) {
            assert!(self.now - began <= limit, "not within {limit:?}: {:#?}", self.topology());
            let next = self.next().map_or(self.now + limit, |at| at.max(self.now));
            self.advance((next - self.now).max(Duration::from_micros(100)));
        }
        self.now - began
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let coming = self.coming.first_key_value().map(|(&(at, _), _)| at);
        coming.into_iter().chain(self.engine.next_wake()).min()
    }

    pub(crate) fn handle(&mut self, input: Input) {
        let before = self.topology();
        let mut out = Vec::new();
        if self.has_more() {
            self.engine.handle_one_of_many(self.now, input, &mut out);
        } else {
            self.engine.handle(self.now, input, &mut out);
        }
        for output in out {
            self.carry_out(output);
        }
        self.check(&before);
    }

    /// Whether something else is told at this moment.
    fn has_more(&self) -> bool {
        let next = self.coming.first_key_value();
        next.is_some_and(|(&(at, _), next)| at <= self.now && !matches!(next, Coming::Try(_)))
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

    pub(crate) fn tell_later(&mut self, at: Instant, input: Input) {
        self.push(at, Coming::Fact(input));
    }

    /// The engine died of a bug: another one takes its place, with monitors of its own.
    pub(crate) fn replace_engine(&mut self) {
        self.engine = self.engine.successor(2, self.now);
        self.open.clear();
        self.slots.clear();
        self.coming.clear();
    }

    pub(super) fn push(&mut self, at: Instant, coming: Coming) {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), coming);
    }

    fn deliver(&mut self) {
        let Some((_, coming)) = self.coming.pop_first() else { return };
        let (slot, address, asked_at) = match coming {
            Coming::Fact(input) => return self.handle(input),
            Coming::Try(attempt) => return self.try_again(attempt),
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

    pub(crate) fn topology(&self) -> Arc<Topology> {
        self.engine.topology()
    }

    pub(crate) fn writer(&self) -> Option<&'static str> {
        let topology = self.topology();
        let writer = topology.writer()?.id().as_str().trim_end_matches(":5432").to_owned();
        self.servers.keys().find(|host| **host == writer).copied()
    }

    /// The instance called `name`, or at the default port of the host `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Instance> {
        let topology = self.topology();
        let full = format!("{name}:5432");
        let found = topology.instances().iter().find(|i| [name, &full].contains(&i.id().as_str()));
        found.cloned()
    }

    pub(crate) fn instance(&self, name: &str) -> Instance {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.topology()))
    }

    pub(crate) fn is(&self, name: &str, role: Role, health: Health) -> bool {
        self.find(name).is_some_and(|i| (i.role(), i.health()) == (role, health))
    }

    pub(crate) fn slot(&self, name: &str) -> Slot {
        let address = self.instance(name).address().clone();
        let found = self.slots.iter().find(|(_, at)| **at == address);
        *found.expect("it was asked").0
    }

    /// How often `host` was asked in the last `span`.
    pub(crate) fn asked(&self, host: &str, span: Duration) -> usize {
        let recent = self.probes.iter().filter(|(at, _)| *at + span > self.now);
        recent.filter(|(_, address)| address.host() == host).count()
    }
}
