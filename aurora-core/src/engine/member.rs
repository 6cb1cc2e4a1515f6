//! What the engine keeps about one instance.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::freshness::Reached;
use super::unrest::Unrest;
use super::{FailureKind, Lineage};
use crate::config::Address;
use crate::rds::Described;
use crate::stats::InstanceStats;
use crate::topology::{Ended, Health, Inherited, Instance, InstanceId, Role, Turn};

/// How many of the last answers are remembered.
const RECENT: usize = 4;

/// Where the engine heard of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The configuration names it.
    Configured,
    /// An instance lists it by name as a member.
    Listed,
    /// An instance thinks that one is there. Only its own answer makes it a member.
    Suggested,
}

/// The number by which engine and driver call an instance, whatever its name becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// An instance's claim to be the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) incarnation: Option<u64>,
    /// Rises with every new claim of anybody.
    pub(super) order: u64,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) slot: Slot,
    pub(super) id: InstanceId,
    pub(super) address: Address,
    pub(super) origin: Origin,
    pub(super) ip: Option<IpAddr>,
    pub(super) server: Option<Arc<str>>,
    /// It has answered at this address, as a member of this cluster.
    pub(super) answered: bool,
    pub(super) role: Role,
    pub(super) health: Health,
    pub(super) epoch: u64,
    pub(super) online: bool,
    pub(super) claim: Option<Claim>,
    /// Its last claim's order, and the server process that made it; a loss does not end it.
    pub(super) claimed: Option<(Arc<str>, u64)>,
    /// Which transactions it has.
    pub(super) lineage: Option<Arc<Lineage>>,
    /// After which election it last said that it was a reader.
    pub(super) read_in: Option<u64>,
    /// Its sessions broke: those that come back are others.
    pub(super) sessions_broke: bool,
    /// A fact older than this says nothing about the present suspicion.
    pub(super) suspect_since: Option<Instant>,
    /// When the first of the present row of failed probes was asked.
    pub(super) failing_since: Option<Instant>,
    pub(super) lost_since: Option<Instant>,
    pub(super) unrest: Option<Unrest>,
    pub(super) probe_asked: Option<Instant>,
    /// From this moment on the silence after the probe under way is suspicious.
    pub(super) overdue_at: Option<Instant>,
    /// About how long an answer takes; zero before the first.
    pub(super) round_trip: Duration,
    /// How long the last answers took, in turn; only the shortest of them was certainly not
    /// prolonged by a standstill of our own.
    pub(super) round_trips: [Option<Duration>; RECENT],
    /// When the last probe that it answered was asked.
    pub(super) confirmed_at: Option<Instant>,
    /// Since when one and the same session of the monitor has been seen to be unbroken.
    pub(super) watched_since: Option<Instant>,
    /// When the server process that answers was first seen.
    pub(super) came_up: Option<Instant>,
    /// How much of its share of the reads it gets, in percent.
    pub(super) weight: u8,
    pub(super) next_probe: Instant,
    /// However urgent, no probe before this moment.
    pub(super) not_before: Instant,
    /// How often in a row its monitor died.
    pub(super) deaths: u32,
    pub(super) reached: Reached,
    /// How much it had of the incarnation that it said it follows, also when it follows nobody now.
    pub(super) replayed: Option<Inherited>,
    /// The same where no incarnation is written down: how much it had of the writer's reign.
    pub(super) followed: Option<Ended>,
    pub(super) lag: Option<Duration>,
    pub(super) last_error: Option<Arc<str>>,
    /// Why the last probe failed, if it did.
    pub(super) failure: Option<FailureKind>,
    /// How many good lists of the writer in a row did not name it.
    pub(super) unlisted: u32,
    /// What is wrong with its last answer about the others.
    pub(super) list_fault: Option<Arc<str>>,
    pub(super) stats: Arc<InstanceStats>,
}

impl Member {
    pub(super) fn new(
        slot: Slot,
        id: InstanceId,
        address: Address,
        origin: Origin,
        now: Instant,
    ) -> Self {
        Self {
            slot,
            id,
            address,
            origin,
            ip: None,
            server: None,
            answered: false,
            role: Role::Unknown,
            health: Health::Unknown,
            epoch: 1,
            online: true,
            claim: None,
            claimed: None,
            lineage: None,
            read_in: None,
            sessions_broke: false,
            suspect_since: None,
            failing_since: None,
            lost_since: None,
            unrest: None,
            probe_asked: None,
            overdue_at: None,
            round_trip: Duration::ZERO,
            round_trips: [None; RECENT],
            confirmed_at: None,
            watched_since: None,
            came_up: None,
            weight: 100,
            next_probe: now,
            not_before: now,
            deaths: 0,
            reached: Reached::default(),
            replayed: None,
            followed: None,
            lag: None,
            last_error: None,
            failure: None,
            unlisted: 0,
            list_fault: None,
            stats: Arc::new(InstanceStats::new(now)),
        }
    }

    /// Whether the snapshot shows it: a suggestion that turned out wrong never was a member.
    pub(super) fn is_visible(&self) -> bool {
        self.origin != Origin::Suggested || self.answered || self.health == Health::Unknown
    }

    /// Whether a statement that began after `since` has succeeded: whatever became of probes, it
    /// is alive.
    pub(super) fn has_served_since(&self, since: Instant) -> bool {
        self.stats.served_at().is_some_and(|served| served > since)
    }

    /// Learns how long an answer takes: quickly when it takes longer, slowly when it is shorter.
    pub(super) fn note_round_trip(&mut self, sample: Duration) {
        self.round_trips.rotate_right(1);
        self.round_trips[0] = Some(sample);
        let average = self.round_trip;
        self.round_trip = match sample > average {
            true if average.is_zero() => sample,
            true => (average + sample) / 2,
            false => average - average / 8 + sample / 8,
        };
    }

    /// The shortest time that one of the last answers took; zero before the first.
    pub(super) fn shortest_round_trip(&self) -> Duration {
        self.round_trips.iter().flatten().min().copied().unwrap_or_default()
    }

    /// Every connection opened before now is out of use.
    pub(super) fn next_epoch(&mut self) {
        self.epoch += 1;
    }

    /// What the snapshot says of it.
    pub(super) fn publish(&self, elected: bool, described: &Described) -> Instance {
        Instance {
            id: self.id.clone(),
            address: self.address.clone(),
            ip: self.ip,
            role: self.role,
            health: self.health,
            epoch: self.epoch,
            online: self.online,
            confirmed_at: self.confirmed_at,
            watched_since: self.watched_since,
            fresh_as_of: self.reached.fresh_as_of(),
            lag: if elected { Some(Duration::ZERO) } else { self.lag },
            last_error: self.last_error.clone(),
            failure: self.failure,
            weight: self.weight,
            turn: Turn::default(),
            stats: Arc::clone(&self.stats),
            details: described.details(&self.id, &self.address).cloned(),
            outside_endpoint: !described.admits(&self.id, &self.address),
        }
    }
}
