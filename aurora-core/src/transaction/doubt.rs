//! What is known of a transaction whose COMMIT was sent, and not answered.

use std::time::Instant;

use super::marker::{KEEP, MarkerId, MarkerTable};
use crate::session::Place;

/// What a transaction leaves behind by which it can be found again, taken before its COMMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// It wrote this marker into this table.
    Marker(MarkerTable, MarkerId),
    /// Its id; `since` is a moment before it was known.
    Transaction {
        /// The id, as `txid_current_if_assigned()` gave it.
        id: i64,
        /// A moment before the transaction began.
        since: Instant,
    },
    /// It has no id, or was declared read-only: it has changed nothing.
    NothingWritten,
    /// Nothing is known.
    None,
}

/// A transaction whose COMMIT was sent, and not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// By what it can be found again.
    pub evidence: Evidence,
    /// Where it ran.
    pub place: Place,
    /// When its COMMIT was sent.
    pub sent_at: Instant,
}

impl Doubt {
    /// Whether the absence of its marker at `now` still means that it was not committed: a marker
    /// that is old may have been pruned. Half of the time is left for clocks that differ.
    pub(crate) fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sent_at) < KEEP / 2
    }
}
