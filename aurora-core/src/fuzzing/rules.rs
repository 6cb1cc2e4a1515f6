//! What holds for an engine whatever it is told.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Address;
use crate::engine::{Engine, Output, Slot};
use crate::policy::RoundRobin;
use crate::route::{Need, route};
use crate::topology::{Instance, InstanceId, Role, Topology};

/// An instance is never asked more often than this: `failover_interval`, and the rest of a monitor
/// that has died, are longer in every engine that is fuzzed.
const PACE: Duration = Duration::from_millis(10);

/// What has been seen of an engine, and of those before it.
#[derive(Debug)]
pub(super) struct Rules {
    last: Arc<Topology>,
    /// The highest epoch that each name has had.
    epochs: HashMap<InstanceId, u64>,
    /// Where each slot was asked last, and when; `None` when it is monitored no longer.
    asked: HashMap<Slot, Option<(Address, Instant)>>,
    /// Whether anybody has said that it takes writes.
    is_claimed: bool,
    /// The latest incarnation that was accepted with an answer.
    incarnation: Option<u64>,
    policy: RoundRobin,
}

impl Rules {
    pub(super) fn new(engine: &Engine) -> Self {
        let mut rules = Self {
            last: engine.topology(),
            epochs: HashMap::new(),
            asked: HashMap::new(),
            is_claimed: false,
            incarnation: None,
            policy: RoundRobin::default(),
        };
        rules.note_epochs(&engine.topology());
        rules
    }

    /// Where a slot was asked last.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.asked.keys().copied().collect();
        slots.sort();
        slots
    }

    /// Another engine has taken over.
    pub(super) fn replaced(&mut self, engine: &Engine) {
        assert!(engine.topology().generation() > self.last.generation(), "not a later one");
        assert_eq!(engine.topology().cluster(), self.last.cluster(), "another cluster");
        self.last = engine.topology();
        self.asked.clear();
        self.note_epochs(&self.last.clone());
    }

    /// Checks what became of one fact; `heard` is who said whether it writes, and what.
    pub(super) fn check(
        &mut self,
        now: Instant,
        engine: &Engine,
        heard: Option<(Slot, bool, Option<u64>)>,
        out: &[Output],
    ) {
        self.is_claimed |= heard.is_some_and(|(_, writes, _)| writes);
        let topology = engine.topology();
        self.generations(&topology);
        // Two that have one address until they are found to be one have a slot each.
        self.writers(&topology, heard.filter(|(slot, ..)| engine.elected() == Some(*slot)));
        self.note_epochs(&topology);
        self.outputs(now, &topology, out);
        self.routes(&topology, now);
        assert!(!topology.instances().is_empty(), "nobody is left");
        self.last = topology;
    }

    /// A generation has one membership, one writer, and a number that only rises.
    fn generations(&self, topology: &Topology) {
        let (before, now) = (self.last.generation(), topology.generation());
        let differs = topology.differs_from(&self.last);
        assert_eq!(now, before + u64::from(differs), "{topology:?}");
    }

    /// One writer at most, only by its own word, and never one of an earlier incarnation; `heard` is
    /// what the elected one has just said.
    fn writers(&mut self, topology: &Topology, heard: Option<(Slot, bool, Option<u64>)>) {
        let is_writer = |of: &Topology| {
            let writers = of.instances().iter().filter(|i| i.role() == Role::Writer);
            writers.map(|i| (i.id().clone(), i.address().clone())).collect::<Vec<_>>()
        };
        let writers = is_writer(topology);
        assert!(writers.len() <= 1, "{writers:?}");
        assert!(self.is_claimed || writers.is_empty(), "nobody said so: {writers:?}");
        let (Some((id, address)), Some((slot, true, Some(incarnation)))) = (writers.first(), heard)
        else {
            return;
        };
        let is_new = !is_writer(&self.last).iter().any(|(before, _)| before == id);
        let is_here = self.asked.get(&slot).and_then(Option::as_ref);
        if is_new && is_here.is_some_and(|(asked, _)| asked == address) {
            assert!(Some(incarnation) >= self.incarnation, "{id} is one of the past");
            self.incarnation = Some(incarnation);
        }
    }

    /// Names are unique, and no connection of an earlier epoch ever passes for one of a later.
    fn note_epochs(&mut self, topology: &Topology) {
        for (index, instance) in topology.instances().iter().enumerate() {
            let before = topology.instances()[..index].iter().map(Instance::id);
            assert!(!before.into_iter().any(|id| id == instance.id()), "two of one name");
            let highest = self.epochs.entry(instance.id().clone()).or_default();
            assert!(instance.epoch() >= *highest, "{} had epoch {highest}", instance.id());
            *highest = instance.epoch();
        }
    }

    /// What is published is what holds; who is no longer monitored is not asked, and nobody too
    /// often.
    fn outputs(&mut self, now: Instant, topology: &Arc<Topology>, out: &[Output]) {
        for output in out {
            match output {
                Output::Announce(event) => assert!(!event.to_string().is_empty()),
                Output::Probe { slot, address, timeout, hedge } => {
                    assert!(!timeout.is_zero() && hedge <= timeout, "{output:?}");
                    let before = self.asked.insert(*slot, Some((address.clone(), now)));
                    assert_ne!(before, Some(None), "{slot:?} is monitored no longer");
                    let before = before.flatten().map(|(_, at)| at);
                    assert!(before.is_none_or(|before| before + PACE <= now), "{slot:?}: a storm");
                }
                Output::Publish(published) => {
                    assert!(Arc::ptr_eq(published, topology), "not what holds in the end");
                }
                Output::Retire { slot } => {
                    self.asked.insert(*slot, None);
                }
            }
        }
    }

    /// Writes go to a usable writer, reads to who is usable and fresh enough, or nowhere.
    fn routes(&self, topology: &Topology, now: Instant) {
        let fresh = now.checked_sub(Duration::from_secs(1));
        let needs =
            [Need::Write, Need::Read { fresh_as_of: None }, Need::Read { fresh_as_of: fresh }];
        for need in needs {
            let Ok((chosen, _)) = route(topology, need, true, &self.policy) else { continue };
            assert!(chosen.is_usable(), "{need:?} goes to {chosen:?}");
            let is_right = match need {
                Need::Write => chosen.role() == Role::Writer,
                Need::Read { fresh_as_of } => {
                    chosen.role() == Role::Writer || chosen.fresh_as_of() >= fresh_as_of
                }
            };
            assert!(is_right, "{need:?} goes to {chosen:?}");
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "before the last of these, generation {}:", self.last.generation())?;
        for instance in self.last.instances() {
            let (id, address) = (instance.id(), instance.address());
            let (role, health, epoch) = (instance.role(), instance.health(), instance.epoch());
            writeln!(f, "  {id} at {address}: {role} {health}, epoch {epoch}")?;
        }
        writeln!(f, "highest epochs: {:?}", self.epochs)?;
        writeln!(f, "asked: {:?}", self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::engine::{Input, Report};

    /// A server that takes writes, under the one name or none.
    fn writer(name: Option<&str>, incarnation: Option<u64>) -> Report {
        let name = name.map(Arc::from);
        Report { name, accepts_writes: true, incarnation, ..Report::default() }
    }

    /// An endpoint has led to `a`, whose own address is monitored already: until that one says its
    /// name, two are at one address. What the one says is not the other's word.
    #[test]
    fn two_at_one_address_are_told_apart() {
        let url = "postgres://app@cluster.x,a.x/db?instance_host_pattern=%3F.x";
        let config = Config::from_url(url).unwrap();
        let now = Instant::now();
        let mut engine = Engine::new(crate::driver::settings(&config), config.addresses(), 1, now);
        let mut rules = Rules::new(&engine);
        let mut out = Vec::new();
        engine.handle(now, Input::Tick, &mut out);
        rules.check(now, &engine, None, &out);
        let told = [
            (Slot(1), writer(None, Some(2))),
            (Slot(0), writer(Some("a"), None)),
            (Slot(0), writer(Some("a"), None)),
            (Slot(1), writer(None, Some(1))),
        ];
        for (slot, report) in told {
            out.clear();
            let heard = Some((slot, true, report.incarnation));
            engine.handle(now, Input::Answered { slot, asked_at: now, report }, &mut out);
            rules.check(now, &engine, heard, &out);
        }
        assert_eq!(engine.elected(), Some(Slot(0)));
        let topology = engine.topology();
        assert!(topology.instances().iter().all(|i| i.address().host() == "a.x"), "{topology:?}");
    }
}
