//! [`CausalToken`]: what a session has written, for another process to see.

mod text;

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, ErrorKind};
use crate::topology::Topology;

/// The format of the text.
const VERSION: u8 = 1;

/// A position is a byte of the log (PostgreSQL, Aurora PostgreSQL). Other kinds of positions (the
/// sets of transactions of MySQL) will have other numbers.
const LOG_POSITION: u8 = 1;

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
    position: u64,
}

impl CausalToken {
    pub(crate) fn new(cluster: String, timeline: Option<u64>, position: u64) -> Self {
        Self { cluster, timeline, position }
    }

    /// What the cluster is known by: the identity that its servers tell, or on Aurora the name
    /// and domain of its cluster endpoint.
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

    /// The position in the log, in bytes from its beginning.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, LOG_POSITION];
        text::write_number(&mut bytes, self.cluster.len() as u64);
        bytes.extend_from_slice(self.cluster.as_bytes());
        // Timelines begin with one.
        text::write_number(&mut bytes, self.timeline.unwrap_or_default());
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
        if kind != LOG_POSITION {
            return Err("it is of a kind of server that this version does not know");
        }
        let read = || {
            let mut rest = content.get(2..)?;
            let length = usize::try_from(text::read_number(&mut rest)?).ok()?;
            let (cluster, mut rest) = rest.split_at_checked(length)?;
            let cluster = std::str::from_utf8(cluster).ok()?.to_owned();
            let timeline = text::read_number(&mut rest)?;
            let position = text::read_number(&mut rest)?;
            rest.is_empty().then_some(Self {
                cluster,
                timeline: (timeline > 0).then_some(timeline),
                position,
            })
        };
        read().ok_or("its parts do not fit together")
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

#[cfg(test)]
mod tests;
