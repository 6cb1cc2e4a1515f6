//! One instance: its name, its role, its health.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::config::Address;
use crate::engine::FailureKind;
use crate::rds::Details;
use crate::stats::InstanceStats;

/// The name of an instance: its Aurora instance identifier, or `host:port` on plain PostgreSQL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for InstanceId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for InstanceId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&Self> for InstanceId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What an instance is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It serves reads and refuses writes.
    Reader,
    /// It has not said yet.
    Unknown,
    /// It is the one instance of its generation that takes writes.
    Writer,
}

/// Whether an instance can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Health {
    /// It claims to be the writer, but a later writer is known; nothing is sent to it.
    Fenced,
    /// It belongs to another cluster; nothing is sent to it.
    Foreign,
    /// It was declared lost: refused, or silent for the detection time.
    Lost,
    /// It answers.
    Online,
    /// Something failed on it and its next answer will tell.
    Suspect,
    /// It has not answered yet.
    Unknown,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reader => "reader",
            Self::Unknown => "unknown",
            Self::Writer => "writer",
        })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fenced => "fenced",
            Self::Foreign => "foreign",
            Self::Lost => "lost",
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Unknown => "unknown",
        })
    }
}

/// Whose turn it is among the readers, by name: they stand freshest first, and that changes with
/// every measurement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// How many readers come before this one by name.
    pub(crate) place: usize,
    /// Where the reader stands that has as many before it by name as this one has before it in the
    /// order of selection: so the one whose turn it is is found without a search.
    pub(crate) seat: usize,
    /// How many readers there are.
    pub(crate) of: usize,
}

/// One instance in one [`Topology`](super::Topology).
#[derive(Clone, Debug)]
pub struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) address: Address,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) role: Role,
    pub(crate) health: Health,
    pub(crate) epoch: u64,
    pub(crate) online: bool,
    pub(crate) confirmed_at: Option<Instant>,
    pub(crate) watched_since: Option<Instant>,
    pub(crate) fresh_as_of: Option<Instant>,
    pub(crate) lag: Option<Duration>,
    pub(crate) last_error: Option<Arc<str>>,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) weight: u8,
    /// For policies that take turns.
    pub(crate) turn: Turn,
    pub(crate) stats: Arc<InstanceStats>,
    /// What the API of RDS told of it.
    pub(crate) details: Option<Arc<Details>>,
    /// It does not belong to the custom endpoint that the URL names.
    pub(crate) outside_endpoint: bool,
}

impl Instance {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Where to connect.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The network address the monitor reached it at, once it has answered.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// What it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it can be used.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// Rises when its role or address changes, or when it was lost; a connection opened in an
    /// earlier epoch is not used any more.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// False while an operator keeps it out of use with `take_offline`.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// When it was last asked about itself with success; `None` is never.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Instant> {
        self.confirmed_at
    }

    /// Since when one and the same session of the monitor has been unbroken: the server has not
    /// crashed or restarted since then. `None` while there is no such session.
    #[must_use]
    pub fn watched_since(&self) -> Option<Instant> {
        self.watched_since
    }

    /// Everything acknowledged before this moment is visible on it; `None` is unknown.
    #[must_use]
    pub fn fresh_as_of(&self) -> Option<Instant> {
        self.fresh_as_of
    }

    /// How far it is behind the writer; `None` is unknown, which is not zero.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        self.lag
    }

    /// How much of its share of the reads it gets, in percent: 100, or from 10 upwards while it has
    /// just come up and `slow_start` is set.
    #[must_use]
    pub fn weight(&self) -> u8 {
        self.weight
    }

    /// What the adapters counted on it.
    #[must_use]
    pub fn stats(&self) -> &Arc<InstanceStats> {
        &self.stats
    }

    /// The availability zone it is in, once the API of RDS has told (feature `rds-api`).
    #[must_use]
    pub fn availability_zone(&self) -> Option<&str> {
        self.details.as_ref()?.availability_zone.as_deref()
    }

    /// Its class, such as `db.r6g.large`, once the API of RDS has told (feature `rds-api`).
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.details.as_ref()?.class.as_deref()
    }

    /// How early Aurora promotes it in a failover, from 0 (first) to 15, once the API of RDS has
    /// told (feature `rds-api`). Source: RDS API reference, DBInstance.
    #[must_use]
    pub fn promotion_tier(&self) -> Option<u8> {
        self.details.as_ref()?.promotion_tier
    }

    /// Its status in the API of RDS, such as `available`, once that has told (feature `rds-api`).
    /// It may be minutes old and decides nothing: see [`Instance::health`].
    #[must_use]
    pub fn rds_status(&self) -> Option<&str> {
        self.details.as_ref()?.status.as_deref()
    }

    /// Whether it does not belong to the custom endpoint that the URL names, as far as the API of
    /// RDS has told (feature `rds-api`): it serves no reads then.
    #[must_use]
    pub fn is_outside_endpoint(&self) -> bool {
        self.outside_endpoint
    }

    /// What was last seen to go wrong on it, while it is not healthy.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.health == Health::Online && self.online
    }

    /// What makes a new generation when it changes: everything but freshness.
    pub(super) fn identity(&self) -> (&InstanceId, &Address, Role, Health, u64, [bool; 2]) {
        let uses = [self.online, self.outside_endpoint];
        (&self.id, &self.address, self.role, self.health, self.epoch, uses)
    }
}
