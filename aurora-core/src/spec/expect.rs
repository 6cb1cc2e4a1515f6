//! What a story expects: only what is written is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::routes::{Route, Scene};
use super::story::Mark;
use super::tokens::Token;
use super::units::{Bounds, Span, same};
use super::words::{event, kebab, short, state};
use crate::engine::tests::world::World;
use crate::startup::{self, Verdict};
use crate::topology::{Instance, Topology};

type Checked = Result<(), String>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    instances: BTreeMap<String, String>,
    members: Option<Vec<String>>,
    writer: Option<String>,
    readers: Option<Vec<String>>,
    freshest_first: Option<Vec<String>>,
    degraded: Option<String>,
    cluster: Option<String>,
    generation: Option<Change>,
    epochs: BTreeMap<String, Change>,
    events: Option<Vec<String>>,
    events_in_order: Option<Vec<String>>,
    event_counts: BTreeMap<String, Bounds<usize>>,
    addresses: BTreeMap<String, String>,
    age: BTreeMap<String, Age>,
    lag: BTreeMap<String, Option<Span>>,
    error: BTreeMap<String, Option<String>>,
    asked: BTreeMap<String, Asked>,
    gaps: BTreeMap<String, Bounds<Span>>,
    last_gap: BTreeMap<String, Bounds<Span>>,
    startup: BTreeMap<Moment, String>,
    routes: Vec<Route>,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Once,
    Risen,
    Same,
}

/// How long ago the moment is as of which a reader is known to be fresh.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Age {
    Known(Bounds<Span>),
    Word(String),
}

/// How often a host was asked in the last `in`, or since the mark.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    r#in: Option<Span>,
    least: Option<usize>,
    most: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Moment {
    AtDeadline,
    Before,
}

impl Expect {
    pub(super) fn check(&self, world: &World, mark: &Mark) -> Checked {
        let topology = world.topology();
        self.check_instances(world)?;
        self.check_sets(&topology)?;
        self.check_changes(world, mark)?;
        self.check_events(world, mark)?;
        self.check_freshness(world)?;
        self.check_pace(world, mark)?;
        for (moment, expected) in &self.startup {
            let got = ready(&topology, *moment == Moment::AtDeadline);
            same(&format!("startup {moment:?}"), expected, &got)?;
        }
        let scene = Scene { topology: &topology, now: world.now, mark: Some(mark.at) };
        self.routes.iter().try_for_each(|route| route.check(&scene))?;
        self.tokens.iter().try_for_each(|token| token.check(&scene))
    }

    fn check_instances(&self, world: &World) -> Checked {
        for (name, expected) in &self.instances {
            let got = world.find(name).map_or_else(|| "absent".to_owned(), |i| state(&i));
            same(&format!("instances.{name}"), expected, &got)?;
        }
        for (name, expected) in &self.addresses {
            let got = find(world, name)?.address().to_string();
            same(&format!("addresses.{name}"), expected, &got)?;
        }
        for (name, expected) in &self.error {
            let instance = find(world, name)?;
            let (what, got) = (format!("error.{name}"), instance.last_error());
            match expected {
                Some(part) if got.is_some_and(|got| got.contains(part.as_str())) => {}
                Some(_) => same(&what, &expected.as_deref(), &got)?,
                None => same(&what, &None, &got)?,
            }
        }
        Ok(())
    }

    fn check_sets(&self, topology: &Topology) -> Checked {
        let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        if let Some(expected) = &self.members {
            same("members", &set(expected), &set(&names(topology.instances())))?;
        }
        if let Some(expected) = &self.writer {
            let got = topology.writer().map_or("none", |writer| short(writer.id()));
            same("writer", &expected.as_str(), &got)?;
        }
        if let Some(expected) = &self.readers {
            same("readers", &set(expected), &set(&names(topology.readers())))?;
        }
        if let Some(expected) = &self.freshest_first {
            same("freshest_first", expected, &names(topology.readers()))?;
        }
        if let Some(expected) = &self.cluster {
            same("cluster", &Some(expected.as_str()), &topology.cluster())?;
        }
        match (self.degraded.as_deref(), topology.degraded()) {
            (None, _) => Ok(()),
            (Some("none"), got) => same("degraded", &None, &got),
            (Some(part), Some(got)) if got.contains(part) => Ok(()),
            (expected, got) => same("degraded", &expected, &got),
        }
    }

    fn check_changes(&self, world: &World, mark: &Mark) -> Checked {
        if let Some(change) = self.generation {
            let (before, after) = (mark.topology.generation(), world.topology().generation());
            change.check("generation", before, after)?;
        }
        for (name, change) in &self.epochs {
            let now = find(world, name)?;
            let before = mark.topology.instances().iter().find(|i| i.id() == now.id());
            let before = before.ok_or_else(|| format!("{name} was not there at the mark"))?;
            change.check(&format!("epochs.{name}"), before.epoch(), now.epoch())?;
        }
        Ok(())
    }

    fn check_events(&self, world: &World, mark: &Mark) -> Checked {
        let told: Vec<String> = world.events[mark.events..].iter().map(|(_, e)| event(e)).collect();
        if let Some(expected) = &self.events {
            let sorted = |events: &[String]| {
                let mut events = events.to_vec();
                events.sort();
                events
            };
            same("events", &sorted(expected), &sorted(&told))?;
        }
        if let Some(expected) = &self.events_in_order {
            let mut rest = told.iter();
            for wanted in expected {
                if !rest.any(|event| event == wanted) {
                    return Err(format!("events_in_order: no {wanted:?} in its place: {told:?}"));
                }
            }
        }
        for (part, bounds) in &self.event_counts {
            let count = told.iter().filter(|event| event.contains(part.as_str())).count();
            bounds.check(&format!("event_counts.{part:?} in {told:?}"), count)?;
        }
        Ok(())
    }

    fn check_freshness(&self, world: &World) -> Checked {
        for (name, expected) in &self.age {
            let as_of = find(world, name)?.fresh_as_of();
            let age = as_of.map(|at| Span(world.now.saturating_duration_since(at)));
            match (expected, age) {
                (Age::Known(bounds), Some(age)) => bounds.check(&format!("age.{name}"), age)?,
                (Age::Word(word), None) if word == "unknown" => {}
                (expected, age) => {
                    return Err(format!("age.{name}: expected {expected:?}, got {age:?}"));
                }
            }
        }
        for (name, expected) in &self.lag {
            let got = find(world, name)?.lag().map(Span);
            same(&format!("lag.{name}"), expected, &got)?;
        }
        Ok(())
    }

    fn check_pace(&self, world: &World, mark: &Mark) -> Checked {
        for (host, asked) in &self.asked {
            let count = match asked.r#in {
                Some(span) => world.asked(host, span.0),
                None => asked_at(world, mark, host).len(),
            };
            let bounds = Bounds { least: asked.least, most: asked.most };
            bounds.check(&format!("asked.{host}"), count)?;
        }
        for (host, bounds) in &self.gaps {
            let gaps = gaps(world, mark, host);
            if gaps.is_empty() {
                return Err(format!("gaps.{host}: it was not asked twice since the mark"));
            }
            gaps.iter().try_for_each(|gap| bounds.check(&format!("gaps.{host}"), Span(*gap)))?;
        }
        for (host, bounds) in &self.last_gap {
            let last = gaps(world, mark, host).pop();
            let last = last.ok_or_else(|| format!("last_gap.{host}: it was not asked twice"))?;
            bounds.check(&format!("last_gap.{host}"), Span(last))?;
        }
        Ok(())
    }
}

impl Change {
    fn check(self, what: &str, before: u64, after: u64) -> Checked {
        let good = match self {
            Self::Once => after == before + 1,
            Self::Risen => after > before,
            Self::Same => after == before,
        };
        good.then_some(())
            .ok_or_else(|| format!("{what}: expected {}, was {before} and is {after}", kebab(self)))
    }
}

/// The times between any two questions to `host` since the mark.
fn gaps(world: &World, mark: &Mark, host: &str) -> Vec<Duration> {
    asked_at(world, mark, host).windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// When `host` was asked since the mark.
fn asked_at(world: &World, mark: &Mark, host: &str) -> Vec<Instant> {
    let asked = world.probes[mark.probes..].iter().filter(|(_, address)| address.host() == host);
    asked.map(|(at, _)| *at).collect()
}

fn ready(topology: &Topology, at_deadline: bool) -> String {
    match startup::verdict(topology, at_deadline) {
        None => "wait".to_owned(),
        Some(Verdict::Ready) => "ready".to_owned(),
        Some(Verdict::Failed(error)) => kebab(error.kind()),
    }
}

fn names(instances: &[Instance]) -> Vec<String> {
    instances.iter().map(|instance| short(instance.id()).to_owned()).collect()
}

fn find(world: &World, name: &str) -> Result<Instance, String> {
    world.find(name).ok_or_else(|| format!("no instance {name}"))
}
