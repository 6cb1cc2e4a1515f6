//! Routing decisions: in a topology that is written down, or at the end of a step of a story.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::units::{Names, Span, same, span};
use super::words::{health, kebab, role, short};
use crate::config::{Freshness, PolicyKind};
use crate::policy::{self, Policy};
use crate::route::{self, Because, Missing, Need};
use crate::topology::{Instance, Topology, tests::instance};

/// A topology, and what is asked of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    topology: Vec<Member>,
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: String,
    role: String,
    health: Option<String>,
    online: Option<bool>,
    /// How long ago the moment is as of which it is fresh.
    age: Option<Span>,
    in_flight: Option<usize>,
}

/// One question to the router.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    need: Option<String>,
    as_of: Option<String>,
    freshness: Option<String>,
    wrote: Option<String>,
    fallback: Option<bool>,
    policy: Option<String>,
    picks: Option<u32>,
    to: Option<Names>,
    because: Option<String>,
    waits_for: Option<String>,
    sequence: Option<Vec<String>>,
    share: Option<BTreeMap<String, f64>>,
    tolerance: Option<f64>,
}

/// What a question is asked of.
pub(super) struct Scene<'a> {
    pub(super) topology: &'a Topology,
    pub(super) now: Instant,
    pub(super) mark: Option<Instant>,
}

type Checked = Result<(), String>;
type Picked = Result<(String, Because), Missing>;

/// Enough to see every candidate of a policy that takes turns or chance.
const PICKS: u32 = 64;

impl Selection {
    pub(super) fn check(&self) -> Checked {
        if self.routes.is_empty() {
            return Err("nothing is asked".to_owned());
        }
        // Far enough from the beginning of the clock for every age.
        let now = Instant::now() + Duration::from_secs(3600);
        let topology = self.topology.iter().map(|member| member.instance(now));
        let topology = Topology::new(topology.collect::<Result<_, _>>()?);
        let scene = Scene { topology: &topology, now, mark: None };
        self.routes.iter().try_for_each(|route| route.check(&scene))
    }
}

impl Member {
    fn instance(&self, now: Instant) -> Result<Instance, String> {
        let fresh_as_of = self.age.map(|age| now - age.0);
        let mut made = instance(&self.name, role(&self.role)?, fresh_as_of);
        made.health = health(self.health.as_deref().unwrap_or("online"))?;
        made.online = self.online.unwrap_or(true);
        for _ in 0..self.in_flight.unwrap_or(0) {
            // Never ends: it stays in flight.
            std::mem::forget(made.stats.start(now));
        }
        Ok(made)
    }
}

impl Route {
    pub(super) fn check(&self, scene: &Scene<'_>) -> Checked {
        let need = self.need(scene)?;
        let policy = self.policy()?;
        // Chance is seeded, so that a run tells the same as the one before it.
        fastrand::seed(7);
        let count = match &self.sequence {
            Some(sequence) => u32::try_from(sequence.len()).map_err(|e| e.to_string())?,
            None => self.picks.unwrap_or(PICKS),
        };
        let fallback = self.fallback.unwrap_or(true);
        let pick = || -> Picked {
            let picked = route::route(scene.topology, need, fallback, &*policy)?;
            Ok((short(picked.0.id()).to_owned(), picked.1))
        };
        let picked: Vec<Picked> = (0..count).map(|_| pick()).collect();
        self.compare(&picked).map_err(|problem| format!("{self:?}: {problem}"))
    }

    fn compare(&self, picked: &[Picked]) -> Checked {
        let asks = [self.to.is_some(), self.waits_for.is_some(), self.sequence.is_some()];
        if !asks.contains(&true) && self.share.is_none() {
            return Err("it expects nothing".to_owned());
        }
        let all: Result<Vec<_>, Missing> = picked.iter().cloned().collect();
        if let Some(expected) = &self.waits_for {
            let got = all.as_ref().map_or_else(kebab, |_| "nobody".to_owned());
            return same("waits_for", expected, &got);
        }
        let all = all.map_err(|missing| format!("it waits for a {}", kebab(missing)))?;
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(to) = &self.to {
            let expected: BTreeSet<&str> = to.list().into_iter().collect();
            same("to", &expected, &names.iter().copied().collect())?;
        }
        if let Some(because) = &self.because {
            let got: BTreeSet<String> = all.iter().map(|(_, because)| kebab(because)).collect();
            same("because", &BTreeSet::from([because.clone()]), &got)?;
        }
        if let Some(sequence) = &self.sequence {
            same("sequence", &sequence.iter().map(String::as_str).collect(), &names)?;
        }
        self.compare_shares(&names)
    }

    fn compare_shares(&self, names: &[&str]) -> Checked {
        let Some(shares) = &self.share else { return Ok(()) };
        let tolerance = self.tolerance.ok_or("a share needs a tolerance")?;
        let got: BTreeSet<&str> = names.iter().copied().collect();
        same("share of", &shares.keys().map(String::as_str).collect(), &got)?;
        for (name, share) in shares {
            let count = names.iter().filter(|picked| *picked == name).count();
            let got = count as f64 / names.len() as f64;
            if (got - share).abs() > *share * tolerance {
                return Err(format!("share.{name}: expected {share}, got {got}"));
            }
        }
        Ok(())
    }

    fn need(&self, scene: &Scene<'_>) -> Result<Need, String> {
        let moment = |text: &Option<String>| -> Result<Option<Instant>, String> {
            match text.as_deref() {
                None | Some("never") => Ok(None),
                Some("mark") => scene.mark.map(Some).ok_or_else(|| "no mark here".to_owned()),
                Some(ago) => {
                    let ago = span(ago).ok_or_else(|| format!("no duration: {ago}"))?;
                    Ok(Some(scene.now - ago))
                }
            }
        };
        match (self.need.as_deref(), self.freshness.as_deref()) {
            (Some("write"), None) => Ok(Need::Write),
            (Some("read"), None) => Ok(Need::Read { fresh_as_of: moment(&self.as_of)? }),
            (None, Some(word)) => {
                Ok(Need::read(freshness(word)?, moment(&self.wrote)?, || scene.now))
            }
            (need, freshness) => Err(format!("need {need:?}, freshness {freshness:?}")),
        }
    }

    fn policy(&self) -> Result<Box<dyn Policy>, String> {
        let word = self.policy.as_deref().unwrap_or("round-robin");
        let kinds = [PolicyKind::LeastConnections, PolicyKind::Random, PolicyKind::RoundRobin];
        let kind = kinds.into_iter().find(|kind| kebab(kind) == word);
        kind.map(policy::of_kind).ok_or_else(|| format!("no policy: {word}"))
    }
}

/// `session`, `eventual`, `strong` or `bounded 5s`.
pub(super) fn freshness(word: &str) -> Result<Freshness, String> {
    match word {
        "eventual" => Ok(Freshness::Eventual),
        "session" => Ok(Freshness::Session),
        "strong" => Ok(Freshness::Strong),
        _ => {
            let age = word.strip_prefix("bounded ").and_then(span);
            age.map(Freshness::Bounded).ok_or_else(|| format!("no freshness: {word}"))
        }
    }
}
