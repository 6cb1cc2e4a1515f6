//! Everything there is in a life, and the crank that turns it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Client;
use super::invariants::{Judge, Seen};
use super::log::{Record, RecordId, Told, Write};
use super::monitor::Monitor;
use super::network::{Names, Path};
use super::queue::{Event, Queue};
use super::server::Server;
use super::swarm::{Kind, Swarm};
use super::tokens::Tokens;
use super::trace::Trace;
use super::wire::{Back, Connection, ConnectionId, Notes, Owner, Wire};
use super::workload::Statements;
use super::{Report, invariants, setup};
use crate::config::Config;
use crate::engine::{Engine, Input, Output};
use crate::policy::{self, Policy};
use crate::ramp::Ramp;
use crate::store::Store;
use crate::topology::{InstanceId, Topology};

/// How long the cluster has to become whole after the last fault.
pub(super) const RECOVERY: Duration = Duration::from_secs(12);

/// How long it is watched after that.
const CALM: Duration = Duration::from_secs(3);

/// How long it takes until the first fault.
const SETTLING: Duration = Duration::from_secs(2);

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) rng: fastrand::Rng,
    pub(super) queue: Queue,
    pub(super) swarm: Swarm,
    pub(super) identity: Arc<str>,
    pub(super) servers: Vec<Server>,
    /// The one log of Aurora's storage.
    pub(super) volume: Vec<RecordId>,
    pub(super) records: Vec<Record>,
    /// When each of them was written.
    pub(super) appended: Vec<Instant>,
    pub(super) writes: Vec<Write>,
    /// Who is the writer by the operator's decision.
    pub(super) rightful: usize,
    pub(super) timeline: u64,
    /// Whom the operator took out of use.
    pub(super) taken_offline: BTreeSet<InstanceId>,
    /// How much of its log each server has acknowledged to somebody.
    pub(super) promised: Vec<usize>,
    pub(super) paths: Vec<Path>,
    /// Standbys that are cut off from the server they follow.
    pub(super) links_cut: Vec<bool>,
    pub(super) names: Names,
    /// Where the cluster endpoint leads.
    pub(super) endpoint: usize,
    pub(super) connections: Vec<Connection>,
    pub(super) closed: Notes,
    pub(super) aborted: Notes,
    pub(super) engine: Engine,
    pub(super) outputs: Vec<Output>,
    pub(super) published: Arc<Topology>,
    pub(super) wake_at: Option<Instant>,
    /// One that has taken over does nothing before then.
    pub(super) engine_rests_until: Instant,
    pub(super) monitors: Vec<Monitor>,
    pub(super) monitors_die: bool,
    pub(super) config: Config,
    pub(super) policy: Box<dyn Policy>,
    pub(super) store: Store<Wire>,
    /// How fast connections to each instance are opened.
    pub(super) ramps: HashMap<InstanceId, Ramp>,
    pub(super) statements: Statements,
    pub(super) clients: Vec<Client>,
    /// What each session has last seen acknowledged.
    pub(super) own: Vec<Option<(RecordId, usize)>>,
    pub(super) tokens: Tokens,
    /// Everything acknowledged, with the moment.
    pub(super) known: Vec<(Instant, RecordId, usize)>,
    /// Our process stands still until then.
    pub(super) frozen_until: Instant,
    pub(super) judge: Judge,
    pub(super) trace: Trace,
    pub(super) faults: u64,
    pub(super) failovers: u64,
    pub(super) acknowledged: u64,
    pub(super) is_healing: bool,
    pub(super) is_ending: bool,
    /// The runs of servers so far: no two have the same number.
    pub(super) runs: u64,
    steps: u64,
    start: Instant,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let start = Instant::now();
        let mut rng = fastrand::Rng::with_seed(seed);
        let swarm = Swarm::new(&mut rng);
        let config = setup::config(&swarm);
        let engine = setup::engine(&config, rng.u64(..), start);
        let published = engine.topology();
        let count = swarm.servers;
        let mut world = Self {
            now: start,
            queue: Queue::default(),
            identity: Arc::from("7"),
            servers: (0..count).map(Server::new).collect(),
            volume: Vec::new(),
            records: Vec::new(),
            appended: Vec::new(),
            writes: Vec::new(),
            rightful: 0,
            taken_offline: BTreeSet::new(),
            timeline: 1,
            promised: vec![0; count],
            paths: vec![Path::open(swarm.latency); count],
            links_cut: vec![false; count],
            names: Names::Fine,
            endpoint: 0,
            connections: Vec::new(),
            closed: Notes::default(),
            aborted: Notes::default(),
            judge: Judge::new(start, invariants::all(&published)),
            engine,
            outputs: Vec::new(),
            published,
            wake_at: Some(start),
            engine_rests_until: start,
            monitors: Vec::new(),
            monitors_die: false,
            policy: policy::of_kind(config.policy()),
            store: Store::new(&config),
            config,
            ramps: HashMap::new(),
            statements: Statements::default(),
            clients: (0..swarm.clients).map(|_| setup::client(start)).collect(),
            own: vec![None; swarm.clients],
            tokens: Tokens::new(seed, swarm.clients),
            known: Vec::new(),
            frozen_until: start,
            trace: Trace::new(start, traced),
            faults: 0,
            failovers: 0,
            acknowledged: 0,
            is_healing: false,
            is_ending: false,
            runs: 100,
            steps: 0,
            start,
            rng,
            swarm,
        };
        world.trace.tell(start, || format!("{:?}", world.swarm));
        world.append(0, Record::default());
        world
    }

    /// Lives from the beginning to the end.
    pub(super) fn live(&mut self) {
        for client in 0..self.clients.len() {
            // Programs wait until their cluster is ready.
            let at = self.now + SETTLING / 2 + self.jittered(self.swarm.think);
            self.queue.push(at, Event::Wake { client, serial: 0 });
        }
        self.queue.push(self.now + SETTLING, Event::Fault);
        let heals_at = self.now + SETTLING + self.swarm.trouble;
        self.queue.push(heals_at, Event::Heal);
        self.run_until(heals_at + RECOVERY);
        if !self.judge.is_fine() {
            return;
        }
        self.judge.see(self.now, &Seen::Recovered);
        self.check_whole();
        self.run_until(heals_at + RECOVERY + CALM);
        self.is_ending = true;
        self.run_until(self.now + self.config.failover_timeout() + CALM);
        self.finish();
    }

    fn run_until(&mut self, end: Instant) {
        while self.judge.is_fine() {
            let wake = self.wake_at.map(|at| at.max(self.frozen_until).max(self.now));
            let event = self.queue.next();
            let tick = wake.is_some_and(|wake| event.is_none_or(|at| wake < at));
            let at = if tick { wake } else { event };
            if at.is_none_or(|at| at > end) {
                break;
            }
            if let Some(wake) = wake.filter(|_| tick) {
                self.now = wake;
                self.feed_engine(Input::Tick);
            } else if let Some((at, event)) = self.queue.pop(self.frozen_until) {
                self.now = self.now.max(at);
                self.happen(event);
            }
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Acknowledged { by, run, length } => self.acknowledged(by, run, length),
            Event::Back { connection, back, tries } => self.hear(connection, &back, tries),
            Event::Execute { connection, token, work } => self.execute(connection, token, work),
            Event::Fact(input) => self.hear_fact(input),
            Event::Fault => self.strike(),
            Event::Heal => self.heal(),
            Event::Hedge { slot, serial, due } => self.hedge(slot, serial, due),
            Event::NoName { slot, serial, address } => self.no_name(slot, serial, &address),
            Event::Operate(deed) => self.operate(deed),
            Event::Replay { on, upto } => self.replay(on, upto),
            Event::Sent { connection, sent, tries } => self.arrived(connection, sent, tries),
            Event::Stream { to } => self.stream(to),
            Event::Tidy(topology) => {
                self.tidy(&topology);
                self.check_lost(&topology);
            }
            Event::Wake { client, serial } => self.wake(client, serial),
        }
    }

    /// A message of a server's reaches us.
    fn hear(&mut self, id: ConnectionId, back: &Back, tries: u32) {
        if !self.gets_back(id, back, tries) {
            return;
        }
        let connection = &mut self.connections[id];
        if matches!(back, Back::Broken) {
            connection.broken = true;
        }
        if !connection.ours {
            return;
        }
        match connection.owner {
            Owner::Client(client) => self.client_hears(self.holder(id).unwrap_or(client), id, back),
            Owner::Monitor(slot) => self.monitor_hears(slot, id, back.clone()),
        }
    }

    /// Which session has a connection in its hands: they pass from one to the next.
    pub(super) fn holder(&self, id: ConnectionId) -> Option<usize> {
        self.clients.iter().position(|c| c.lease.as_ref().is_some_and(|lease| lease.id == id))
    }

    pub(super) fn token(&mut self) -> u64 {
        self.steps += 1;
        self.steps
    }

    /// Half to one and a half of a duration.
    pub(super) fn jittered(&mut self, base: Duration) -> Duration {
        base.mul_f64(0.5 + self.rng.f64())
    }

    /// The end: what became of every write?
    fn finish(&mut self) {
        let durable = self.swarm.kind != Kind::Asynchronous;
        for (id, write) in self.writes.iter().enumerate() {
            let log = self.log(self.rightful);
            let kept = write.records.iter().any(|(record, place)| log.get(*place) == Some(record));
            let times = write.records.len();
            let told = write.told;
            if told == Told::Nothing && times == 0 {
                continue;
            }
            let seen = Seen::Finished { write: id, told, times, kept, durable };
            self.judge.see(self.now, &seen);
        }
    }

    pub(super) fn report(&mut self, seed: u64) -> Report {
        Report {
            seed,
            simulated: self.now.saturating_duration_since(self.start),
            faults: self.faults,
            failovers: self.failovers,
            acknowledged: self.acknowledged,
            checks: self.judge.checks(),
            violations: self.judge.take(),
            trace: self.trace.take(),
        }
    }
}
