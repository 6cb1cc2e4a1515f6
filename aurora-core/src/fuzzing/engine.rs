//! The engine under any sequence of facts, at any pace.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bytes::Bytes;
use super::rules::Rules;
use crate::config::{Address, Config};
use crate::engine::{
    Complaint, Engine, FailureKind, Input, Listed, Members, Output, ProbeFailure, Report, Slot,
};
use crate::topology::InstanceId;

const URLS: [&str; 4] = [
    "postgres://app@a,b,c/db",
    "postgres://app@cluster.x/db?instance_host_pattern=%3F.x",
    "postgres://app@cluster.x,a.x/db?instance_host_pattern=%3F.x&detection_time=1s",
    "postgres://app@10.0.0.1,b/db?failover_interval=50ms",
];

/// The names of instances, good and bad ones.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "cluster", "", " "];

const PAUSES: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_micros(10),
    Duration::from_millis(1),
    Duration::from_millis(20),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(6),
    Duration::from_secs(3600),
];

const FAILURES: [FailureKind; 9] = [
    FailureKind::Authentication,
    FailureKind::NotReady,
    FailureKind::Other,
    FailureKind::Privilege,
    FailureKind::Refused,
    FailureKind::Reset,
    FailureKind::Silent,
    FailureKind::Tls,
    FailureKind::TooManyConnections,
];

/// How many facts an engine is told at most: more of them find nothing that fewer do not.
const FACTS: usize = 300;

/// How often in a row the engine may want to be woken at one and the same moment.
const WAKES: usize = 4;

struct Life<'a> {
    bytes: Bytes<'a>,
    engine: Engine,
    rules: Rules,
    start: Instant,
    now: Instant,
    out: Vec<Output>,
    /// What it was told, for whoever has to understand a finding.
    told: Vec<(Instant, Input)>,
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let url = bytes.pick(&URLS);
    let config = Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let settings = crate::driver::settings(&config);
    let start = Instant::now();
    let engine = Engine::new(settings, config.addresses(), u64::from(bytes.byte()), start);
    let rules = Rules::new(&engine);
    let mut life =
        Life { bytes, engine, rules, start, now: start, out: Vec::new(), told: Vec::new() };
    life.tell(Input::Tick);
    for _ in 0..FACTS {
        if life.bytes.is_empty() {
            break;
        }
        life.step();
    }
    life.settle();
}

impl Life<'_> {
    fn step(&mut self) {
        match self.bytes.byte() % 16 {
            0..=5 => self.answered(),
            6 | 7 => self.unreachable(),
            8 => self.complained(),
            9 => self.watched(),
            10 => self.online(),
            11 => self.served(),
            12 => self.replaced(),
            13 => self.woken(),
            _ => self.now += self.bytes.pick(&PAUSES),
        }
    }

    fn tell(&mut self, input: Input) {
        let heard = match &input {
            Input::Answered { slot, report, .. } => {
                Some((*slot, report.accepts_writes, report.incarnation))
            }
            _ => None,
        };
        self.told.push((self.now, input.clone()));
        self.out.clear();
        self.engine.handle(self.now, input, &mut self.out);
        self.rules.check(self.now, &self.engine, heard, &self.out);
    }

    /// Time passes until the engine wants to be woken.
    fn woken(&mut self) {
        if let Some(at) = self.engine.next_wake() {
            self.now = self.now.max(at);
        }
        self.settle();
    }

    /// Woken when it wants to be, an engine comes to rest: nobody turns the crank for ever.
    fn settle(&mut self) {
        for _ in 0..WAKES {
            self.tell(Input::Tick);
            if self.engine.next_wake().is_none_or(|at| at > self.now) {
                return;
            }
        }
        panic!("the engine does not come to rest");
    }

    /// Some slot, mostly one that is asked.
    fn slot(&mut self) -> Slot {
        let slots = self.rules.slots();
        let choice = self.bytes.byte();
        let known = slots.get(usize::from(choice) % slots.len().max(1)).copied();
        known.filter(|_| choice < 240).unwrap_or(Slot(u32::from(choice)))
    }

    /// A moment in the past, as when a question was asked.
    fn past(&mut self) -> Instant {
        let ago = self.bytes.pick(&PAUSES);
        self.now.checked_sub(ago).map_or(self.start, |at| at.max(self.start))
    }

    fn answered(&mut self) {
        let (slot, asked_at, report) = (self.slot(), self.past(), self.report());
        self.tell(Input::Answered { slot, asked_at, report });
    }

    fn unreachable(&mut self) {
        let (slot, asked_at, kind) = (self.slot(), self.past(), self.bytes.pick(&FAILURES));
        let failure = ProbeFailure { kind, message: "chance".into() };
        self.tell(Input::Unreachable { slot, asked_at, failure });
    }

    fn complained(&mut self) {
        let instance = self.instance();
        let known = self.engine.topology().instance(&instance).map(|known| known.epoch());
        let epoch = known.unwrap_or(1) + self.bytes.pick(&[0, 0, 0, 1]);
        let kinds = [Complaint::ConnectionLost, Complaint::WrongRole];
        let complaint = self.bytes.pick(&kinds);
        self.tell(Input::Complained { instance, epoch, complaint, message: "chance".into() });
    }

    fn watched(&mut self) {
        let slot = self.slot();
        let input = match self.bytes.byte() % 3 {
            0 => Input::Disconnected { slot, message: "chance".into() },
            1 => Input::MonitorDied { slot, reason: "chance".to_owned() },
            _ => Input::SessionBegan { slot },
        };
        self.tell(input);
    }

    fn online(&mut self) {
        let (instance, online) = (self.instance(), self.bytes.flag());
        self.tell(Input::SetOnline { instance: instance.clone(), online });
        let shown = self.engine.topology();
        let shown = shown.instance(&instance);
        assert!(shown.is_none_or(|shown| shown.is_online() == online), "{shown:?}");
    }

    /// A statement succeeds on an instance.
    fn served(&mut self) {
        let (id, began) = (self.instance(), self.past());
        if let Some(instance) = self.engine.topology().instance(&id) {
            instance.stats().start(began).succeeded(self.now);
        }
    }

    fn replaced(&mut self) {
        let seed = u64::from(self.bytes.byte());
        let shown = self.engine.topology();
        let offline = shown.instances().iter().filter(|instance| !instance.is_online());
        let offline: Vec<InstanceId> = offline.map(|instance| instance.id().clone()).collect();
        self.engine = self.engine.successor(seed, self.now);
        self.rules.replaced(&self.engine);
        self.tell(Input::Tick);
        for id in offline {
            let shown = self.engine.topology();
            assert!(shown.instance(&id).is_none_or(|i| !i.is_online()), "{id} is in use again");
        }
    }

    fn instance(&mut self) -> InstanceId {
        let choice = usize::from(self.bytes.byte());
        let topology = self.engine.topology();
        let known = topology.instances().get(choice).map(|instance| instance.id().clone());
        known.unwrap_or_else(|| NAMES[choice % NAMES.len()].into())
    }

    fn report(&mut self) -> Report {
        let bytes = &mut self.bytes;
        let text = |text: &str| Some(Arc::<str>::from(text));
        let numbers = [None, Some(0), Some(1), Some(2), Some(3), Some(u64::MAX)];
        let lags =
            [None, Some(Duration::ZERO), Some(Duration::from_millis(10)), Some(Duration::MAX)];
        let name = bytes.byte();
        Report {
            cluster: bytes.pick(&[Some("7"), Some("7"), None, Some("8")]).and_then(text),
            name: (name & 1 == 1).then(|| NAMES[usize::from(name >> 1) % NAMES.len()].into()),
            server: bytes.pick(&[Some("one"), Some("two"), Some("three"), None]).and_then(text),
            ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, bytes.byte() & 3))),
            accepts_writes: bytes.flag(),
            stands_still: bytes.byte() == u8::MAX,
            incarnation: bytes.pick(&numbers),
            lineage: None,
            position: bytes.pick(&numbers),
            lag: bytes.pick(&lags),
            members: self.members(),
        }
    }

    fn members(&mut self) -> Members {
        let bytes = &mut self.bytes;
        let (kind, count) = (bytes.byte(), bytes.byte() & 7);
        match kind & 3 {
            0 => Members::Unlisted,
            1 => Members::Refused("chance".into()),
            2 => {
                let address = |_| Address::new(bytes.pick(&NAMES[..6]), 5432);
                Members::Suggested((0..count).map(address).collect())
            }
            _ => {
                let row = |_| {
                    let byte = bytes.byte();
                    let name = NAMES[usize::from(byte >> 1) % NAMES.len()].into();
                    Listed { name, is_writer: byte & 1 == 1 }
                };
                Members::Listed((0..count).map(row).collect())
            }
        }
    }
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, input) in &self.told {
                eprintln!("{:?}: {input:?}", at.saturating_duration_since(self.start));
            }
            eprintln!("{}", self.rules);
        }
    }
}
