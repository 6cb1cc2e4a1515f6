//! The pure engine: facts and the time go in, snapshots and instructions come out.
//!
//! No clock, no I/O, no async: [`Engine::handle`] is given the time with every fact, and whoever
//! drives it carries out what it says. The rules it keeps each have a test of that name in
//! `tests/rules.rs`.

// A new kind of fact or failure must not compile unnoticed here.
#![warn(clippy::wildcard_enum_match_arm)]

mod alias;
mod diff;
mod failover;
mod freshness;
mod health;
mod history;
mod identity;
mod lineage;
mod member;
mod membership;
mod reign;
mod report;
mod schedule;
mod slow_start;
mod successor;
#[cfg(test)]
pub(crate) mod tests;
mod unrest;
mod want;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::alias::Alias;
use self::freshness::Samples;
use self::identity::Identity;
pub(crate) use self::lineage::Lineage;
pub(crate) use self::member::Slot;
use self::member::{Member, Origin};
pub use self::report::Complaint;
pub(crate) use self::report::{FailureKind, Listed, Members, ProbeFailure, Report};
use self::unrest::Unrest;
use self::want::Want;
use crate::config::Address;
use crate::endpoint::HostPattern;
use crate::event::Event;
use crate::rds::Described;
use crate::topology::{Ended, Health, Inherited, InstanceId, Sampled, Topology};

/// How the engine behaves; all of it comes from the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) probe_interval: Duration,
    pub(crate) failover_interval: Duration,
    pub(crate) connect_timeout: Duration,
    /// How long an instance that was asked may be silent before it is declared lost.
    pub(crate) silence: Duration,
    /// How long a reader that has just come up gets less than its share.
    pub(crate) slow_start: Duration,
    pub(crate) instance_host_pattern: Option<HostPattern>,
    pub(crate) default_port: u16,
}

/// A fact the engine is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An instance answered the probe asked at `asked_at`.
    Answered { slot: Slot, asked_at: Instant, report: Report },
    /// An adapter saw something go wrong on a connection of that epoch.
    Complained { instance: InstanceId, epoch: u64, complaint: Complaint, message: Arc<str> },
    /// The API of RDS told something else than before. It changes no role, health or membership.
    #[cfg_attr(
        not(any(feature = "rds-api", test)),
        expect(dead_code, reason = "without the API nothing is ever told")
    )]
    Described(Arc<Described>),
    /// The monitor's idle connection broke.
    Disconnected { slot: Slot, message: Arc<str> },
    /// The task that monitors the instance died.
    MonitorDied { slot: Slot, reason: String },
    /// The next answer comes over another connection of the monitor's than the ones before.
    SessionBegan { slot: Slot },
    /// An operator takes an instance out of use, or brings it back.
    SetOnline { instance: InstanceId, online: bool },
    /// Time has passed.
    Tick,
    /// The probe asked at `asked_at` got no answer.
    Unreachable { slot: Slot, asked_at: Instant, failure: ProbeFailure },
    /// Somebody wants a reader that shows everything acknowledged before `required`, or waits for
    /// the writer's position of that moment; there is none yet.
    Wanted { required: Instant },
}

/// What the engine wants done.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Tell everybody who listens.
    Announce(Event),
    /// Ask the instance about itself within `timeout`; and while it is silent, try once more on a
    /// connection of its own every `hedge`.
    Probe { slot: Slot, address: Address, timeout: Duration, hedge: Duration },
    /// Let everybody see this snapshot.
    Publish(Arc<Topology>),
    /// Monitor that instance no longer.
    Retire { slot: Slot },
}

/// Turns facts into topology snapshots. The only writer of cluster state.
#[derive(Debug)]
pub(crate) struct Engine {
    settings: Settings,
    configured: Vec<Address>,
    members: Vec<Member>,
    aliases: Vec<Alias>,
    next_slot: u32,
    /// The epoch in which a new member starts: no instance that comes back repeats one.
    first_epoch: u64,
    cluster: Option<Arc<str>>,
    degraded: Option<Arc<str>>,
    /// How many claims to be the writer there have been.
    claims: u64,
    /// No writer of an earlier incarnation is ever accepted again.
    highest_incarnation: Option<u64>,
    elected: Option<Slot>,
    /// What the writer was known to have, by its own last word.
    lineage: Option<Arc<Lineage>>,
    /// How many elections of another writer there have been.
    elections: u64,
    samples: Samples,
    /// A later incarnation than the first one known has been seen: who follows what is no longer
    /// self-evident.
    has_switched: bool,
    /// The incarnation in which two claimed to be the writer: it has two histories.
    contested: Option<u64>,
    /// How much of earlier incarnations is certainly part of the present one.
    inherited: Arc<[Inherited]>,
    /// The same for reigns, of which there may be any number: the last ones.
    ended: Arc<[Ended]>,
    want: Option<Want>,
    /// The one that was elected last, even if it is no more.
    last_elected: Option<Slot>,
    /// While there is no writer that answers, and for a while after.
    urgency: Option<Unrest>,
    is_urgent: bool,
    /// Since when nobody answers.
    offline_since: Option<Instant>,
    /// Whom an operator took out of use before this engine was there, until they are found again.
    kept_offline: BTreeSet<InstanceId>,
    /// What the API of RDS told last.
    described: Arc<Described>,
    rng: fastrand::Rng,
    published: Arc<Topology>,
}

impl Engine {
    /// An engine that knows nothing but the configured addresses.
    pub(crate) fn new(settings: Settings, configured: &[Address], seed: u64, now: Instant) -> Self {
        let mut engine = Self {
            settings,
            configured: configured.to_vec(),
            members: Vec::new(),
            aliases: Vec::new(),
            next_slot: 0,
            first_epoch: 1,
            cluster: None,
            degraded: None,
            claims: 0,
            highest_incarnation: None,
            elected: None,
            lineage: None,
            elections: 0,
            samples: Samples::default(),
            has_switched: false,
            contested: None,
            inherited: Arc::default(),
            ended: Arc::default(),
            want: None,
            last_elected: None,
            urgency: None,
            is_urgent: true,
            offline_since: Some(now),
            kept_offline: BTreeSet::new(),
            described: Arc::default(),
            rng: fastrand::Rng::with_seed(seed),
            published: Arc::new(Topology::new(Vec::new())),
        };
        for address in configured {
            let id = InstanceId::from(address.to_string());
            if engine.members.iter().all(|member| member.id != id) {
                engine.add_member(id, address.clone(), Origin::Configured, now);
            }
        }
        engine.published = Arc::new(engine.snapshot(1));
        engine
    }

    /// The snapshot published last.
    pub(crate) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.published)
    }

    /// Takes in one fact at `now` and says what is to be done.
    pub(crate) fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        let is_fact = !matches!(input, Input::Tick | Input::Wanted { .. });
        let elected_before = self.last_elected;
        match input {
            Input::Answered { slot, asked_at, report } => {
                self.answered(now, slot, asked_at, report, out);
            }
            Input::Complained { instance, epoch, complaint, message } => {
                self.complained(now, &instance, epoch, complaint, message);
            }
            Input::Described(described) => self.described = described,
            Input::Disconnected { slot, message } => self.disconnected(now, slot, message),
            Input::MonitorDied { slot, reason } => self.monitor_died(now, slot, reason, out),
            Input::SessionBegan { slot } => {
                if let Some(index) = self.index(slot) {
                    self.members[index].watched_since = None;
                }
            }
            Input::SetOnline { instance, online } => {
                if let Some(member) = self.members.iter_mut().find(|m| m.id == instance) {
                    member.online = online;
                } else if online {
                    // Out of use since before this engine was there, and not found again yet.
                    self.kept_offline.remove(&instance);
                }
            }
            Input::Tick => {}
            Input::Unreachable { slot, asked_at, failure } => {
                self.unreachable(now, slot, asked_at, failure);
            }
            Input::Wanted { required } => self.want(now, required),
        }
        self.give_up_stuck(now);
        self.suspect_overdue(now);
        self.pass_verdicts(now);
        self.elect();
        self.give_up_overtaken(now);
        if self.last_elected != elected_before {
            // Above all the one before: does it know, and does it answer?
            self.all_due(now);
        }
        self.ask_configured_again(now);
        self.judge_lists();
        self.warm_up(now);
        self.publish(is_fact, out);
        self.schedule(now, out);
    }

    fn answered(
        &mut self,
        now: Instant,
        slot: Slot,
        asked_at: Instant,
        report: Report,
        out: &mut Vec<Output>,
    ) {
        let Some(index) = self.index(slot) else { return };
        let member = &mut self.members[index];
        member.probe_asked = None;
        member.overdue_at = None;
        member.deaths = 0;
        member.note_round_trip(now.saturating_duration_since(asked_at));
        // Asked before the suspicion arose, the answer says nothing about it.
        if self.members[index].suspect_since.is_some_and(|since| asked_at < since) {
            self.members[index].next_probe = now;
            return;
        }
        self.plan_next(index, asked_at, now);
        if !self.same_cluster(index, &report) {
            return;
        }
        let index = match self.identify(index, &report, now, out) {
            Identity::Member(index) => {
                self.members[index].confirmed_at = Some(asked_at);
                self.notice_start(index, &report, now);
                self.recovered(index, &report);
                self.members[index].watched_since.get_or_insert(now);
                self.take_word(index, &report);
                self.elect();
                self.measure(index, &report, asked_at);
                index
            }
            Identity::Elsewhere(index) => index,
            Identity::Twin => return,
        };
        self.merge_members(index, report.members, now, out);
    }

    /// Publishes what has changed; after a fact at least freshness has.
    fn publish(&mut self, is_fact: bool, out: &mut Vec<Output>) {
        let mut next = self.snapshot(self.published.generation);
        if next.differs_from(&self.published) {
            next.generation += 1;
        } else if !is_fact {
            return;
        }
        for event in diff::events(&self.published, &next) {
            out.push(Output::Announce(event));
        }
        self.published = Arc::new(next);
        out.push(Output::Publish(Arc::clone(&self.published)));
    }

    fn snapshot(&self, generation: u64) -> Topology {
        let visible = self.members.iter().filter(|member| member.is_visible());
        let instances = visible.map(|m| m.publish(self.elected == Some(m.slot), &self.described));
        let mut topology = Topology::new(instances.collect());
        topology.generation = generation;
        topology.cluster.clone_from(&self.cluster);
        topology.degraded.clone_from(&self.degraded);
        topology.inherited = Arc::clone(&self.inherited);
        let moments = self.samples.recent();
        topology.ended = Arc::clone(&self.ended);
        topology.sampled = (!moments.is_empty()).then(|| Sampled {
            incarnation: self.highest_incarnation,
            reign: self.lineage.as_ref().map(|lineage| lineage.reign()),
            moments,
        });
        topology
    }

    /// Is what we know of the members good? The writer's list counts; without one, any good list.
    fn judge_lists(&mut self) {
        let mut online = self.members.iter().filter(|member| member.health == Health::Online);
        let writer = online.clone().find(|member| self.elected == Some(member.slot));
        let teller = writer.or_else(|| online.clone().find(|member| member.list_fault.is_none()));
        // While nobody answers, nobody knows better.
        if let Some(teller) = teller.or_else(|| online.next()) {
            self.degraded.clone_from(&teller.list_fault);
        }
    }

    fn index(&self, slot: Slot) -> Option<usize> {
        self.members.iter().position(|member| member.slot == slot)
    }
}
