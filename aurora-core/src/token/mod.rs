//! [`CausalToken`]: what a session has written, for another process to see.

mod text;

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, ErrorKind};
use crate::topology::{Reign, Sampled, Topology};

/// The format of the text.
const VERSION: u8 = 1;

/// A position is a byte of the log (PostgreSQL, Aurora PostgreSQL).
const LOG_POSITION: u8 = 1;
/// A position is a number of transactions, in the reign of a writer (MySQL, MariaDB).
const TRANSACTIONS: u8 = 2;

/// A point in the history of a cluster: whoever requires it sees everything that the session had
/// committed which made it, in this process or in another.
///
/// Its text is opaque and URL-safe (`A-Z a-z 0-9 - _`), so that it fits a cookie or a header. It
/// is protected against mistakes, not against malice: who makes one up can send reads to the
/// writer, or gives up seeing his own writes; sign what you hand out where that matters. It shows
/// the cluster's identity and a position in its log, and no data.
///
/// # Examples
///
/// ```
/// use aurora_core::{CausalToken, ErrorKind};
///
/// let text = "AQETNzU3MDI4MTMyNjk4NzM4MjY1MAHAjccBMucGPQ";
/// let token: CausalToken = text.parse()?;
/// assert_eq!((token.timeline(), token.position()), (Some(1), 3_262_144));
/// let broken = format!("{text}x").parse::<CausalToken>().unwrap_err();
/// assert_eq!(broken.kind(), ErrorKind::Protocol);
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CausalToken {
    cluster: String,
    timeline: Option<u64>,
    reign: Option<Reign>,
    position: u64,
}

impl CausalToken {
    pub(crate) fn new(cluster: String, timeline: Option<u64>, position: u64) -> Self {
        Self { cluster, timeline, reign: None, position }
    }

    /// The same position in the history of MySQL or MariaDB.
    pub(crate) fn in_reign(self, reign: Option<Reign>) -> Self {
        Self { reign, ..self }
    }

    /// What the cluster is known by: the identity that its servers tell, or on Aurora the name
    /// and domain of its cluster endpoint. Empty in MySQL without group replication, where the
    /// writer's UUID, which the token has as well, tells clusters apart.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The timeline of PostgreSQL that the position belongs to; Aurora has none, whose instances
    /// share one storage.
    #[must_use]
    pub fn timeline(&self) -> Option<u64> {
        self.timeline
    }

    /// The server that was the writer, in MySQL its UUID (or the replication group's name), in
    /// MariaDB its `server_id`. PostgreSQL has timelines instead.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.reign.as_ref().map(|reign| &*reign.origin)
    }

    /// The position in the log, in bytes from its beginning; in MySQL and MariaDB in transactions.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    fn bytes(&self) -> Vec<u8> {
        let kind = if self.reign.is_some() { TRANSACTIONS } else { LOG_POSITION };
        let mut bytes = vec![VERSION, kind];
        text::write_text(&mut bytes, &self.cluster);
        if let Some(reign) = &self.reign {
            text::write_text(&mut bytes, &reign.origin);
            text::write_number(&mut bytes, reign.began);
        } else {
            // Timelines begin with one.
            text::write_number(&mut bytes, self.timeline.unwrap_or_default());
        }
        text::write_number(&mut bytes, self.position);
        bytes.extend_from_slice(&text::checksum(&bytes).to_be_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or("it is too short")?;
        let [version, kind, ..] = *content else { return Err("it is too short") };
        if version != VERSION {
            return Err("it has a format that this version does not know");
        }
        if text::checksum(content) != u32::from_be_bytes(*sum) {
            return Err("it was damaged or cut off on its way");
        }
        if !matches!(kind, LOG_POSITION | TRANSACTIONS) {
            return Err("it is of a kind of server that this version does not know");
        }
        let parts = content.get(2..).and_then(|parts| Self::of_parts(kind, parts));
        parts.ok_or("its parts do not fit together")
    }

    fn of_parts(kind: u8, mut rest: &[u8]) -> Option<Self> {
        let cluster = text::read_text(&mut rest)?.to_owned();
        let (timeline, reign) = if kind == TRANSACTIONS {
            let origin = text::read_text(&mut rest)?.into();
            (None, Some(Reign { origin, began: text::read_number(&mut rest)? }))
        } else {
            let timeline = text::read_number(&mut rest)?;
            ((timeline > 0).then_some(timeline), None)
        };
        let position = text::read_number(&mut rest)?;
        rest.is_empty().then_some(Self { cluster, timeline, reign, position })
    }
}

impl fmt::Display for CausalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::encode(&self.bytes()))
    }
}

impl FromStr for CausalToken {
    type Err = Error;

    /// Reads a token's text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] when it is no token, was damaged, or has a later format. Nothing was
    /// sent anywhere.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = text::decode(text).ok_or("it is no base64url");
        bytes.and_then(|bytes| Self::of_bytes(&bytes)).map_err(|reason| {
            let text = format!("this is no causal token: {reason}");
            Error::new(ErrorKind::Protocol, text).with_outcome(crate::error::Outcome::NotApplied)
        })
    }
}

impl Serialize for CausalToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CausalToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What a token of this cluster means in a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Readers that are fresh as of that moment show what it stands for.
    Holds { required: Instant },
    /// There was a failover since, and nobody can tell whether it went along.
    MayBeLost,
}

/// What `token` means at `now`; `None` while that cannot be told: no writer is known, or the token
/// comes from a later history than ours.
///
/// No positions of readers are compared: a sample of the writer at or beyond the token's position
/// includes it, and so does every sample that is asked for from now on.
pub(crate) fn judge(token: &CausalToken, topology: &Topology, now: Instant) -> Option<Judgement> {
    let sampled = topology.sampled.as_ref()?;
    let required = sampled.moment_of(token.position).map_or(now, |asked_at| asked_at.min(now));
    if token.reign.is_some() || sampled.reign.is_some() {
        let survived = survived(token, topology, sampled, now)?;
        return Some(if survived { Judgement::Holds { required } } else { Judgement::MayBeLost });
    }
    match (token.timeline, sampled.incarnation) {
        (Some(theirs), Some(ours)) if theirs > ours => None,
        (Some(theirs), Some(ours)) if theirs < ours => {
            let survived = topology.inherited.iter().any(|inherited| {
                inherited.incarnation == theirs && token.position <= inherited.position
            });
            Some(if survived { Judgement::Holds { required } } else { Judgement::MayBeLost })
        }
        (Some(_), Some(_)) | (None, None) => Some(Judgement::Holds { required }),
        (Some(_), None) | (None, Some(_)) => Some(Judgement::MayBeLost),
    }
}

/// Whether what was written in the token's reign is certainly part of the present one; `None` while
/// the token's may be a later one that this process has not heard of.
///
/// Reigns are in no order that their names would tell. But who is asked now, and is the writer,
/// would know of a later one.
fn survived(
    token: &CausalToken,
    topology: &Topology,
    sampled: &Sampled,
    now: Instant,
) -> Option<bool> {
    let (Some(theirs), Some(ours)) = (&token.reign, &sampled.reign) else { return Some(false) };
    if theirs == ours {
        return Some(true);
    }
    if let Some(ended) = topology.ended.iter().find(|ended| ended.reign == *theirs) {
        return Some(token.position <= ended.position);
    }
    let asked_at = sampled.moments.last().map(|(asked_at, _)| *asked_at);
    (asked_at >= Some(now)).then_some(false)
}

#[cfg(test)]
mod tests;
