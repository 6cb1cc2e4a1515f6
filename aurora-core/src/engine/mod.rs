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
mod message;
mod reign;
mod report;
mod schedule;
mod shown;
mod slow_start;
mod snapshot;
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
pub(crate) use self::message::{Input, Output};
pub use self::report::Complaint;
pub(crate) use self::report::{FailureKind, Listed, Members, ProbeFailure, Report};
use self::shown::Shown;
use self::unrest::Unrest;
use self::want::Want;
use crate::config::Address;
use crate::endpoint::HostPattern;
use crate::rds::Described;
use crate::topology::{Ended, Inherited, InstanceId, Topology};

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
    shown: Shown,
    /// More facts follow the present one at once.
    has_more: bool,
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
            shown: Shown::default(),
            has_more: false,
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

    /// Whom it takes for the writer, whoever else is at the same address.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn elected(&self) -> Option<Slot> {
        self.elected
    }

    /// The same as [`Engine::handle`], with more facts to follow at once: what says no more than how
    /// fresh an instance is may be seen with them.
    pub(crate) fn handle_one_of_many(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.has_more = true;
        self.handle(now, input, out);
        self.has_more = false;
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
        self.publish(now, is_fact, out);
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
                if self.elected == Some(self.members[index].slot) {
                    self.take_along(now);
                }
                index
            }
            Identity::Elsewhere(index) => index,
            Identity::Twin => return,
        };
        self.merge_members(index, report.members, now, out);
    }

    fn index(&self, slot: Slot) -> Option<usize> {
        self.members.iter().position(|member| member.slot == slot)
    }
}
