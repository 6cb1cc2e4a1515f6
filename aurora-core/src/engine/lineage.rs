//! Who is the later writer where no number of the incarnation is written down? Told by which
//! transactions an instance has (MySQL, MariaDB).
//!
//! PostgreSQL writes down a timeline, and Aurora's storage lets only one write. A MySQL server that
//! was the writer, and comes back after another was promoted, claims to be it as if nothing had
//! happened. What tells it from the writer are the origins of the transactions it has:
//!
//! * Whoever was seen as a reader since the present writer was elected was promoted on purpose,
//!   whatever it lacks: asynchronous replication loses the last transactions of a writer that dies.
//! * Whoever began to write later in the one history is the later writer. MariaDB numbers all
//!   transactions of a domain in one sequence, so that is where the last transaction of another
//!   origin stands. MySQL counts for each origin alone: there, later is who has transactions of the
//!   other, which has none of its own.
//! * While nobody else claims, whoever has all that the writer was known to have may follow it: a
//!   switchover and back, without a write between, changes nothing.
//!
//! Any other claim is that of an old writer: it is fenced, and no connection leads to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::member::Member;
use crate::topology::Reign;

/// Which transactions an instance has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// The origin of those that begin at the instance itself.
    pub(crate) own: Arc<str>,
    /// The last of every origin: of a server, or of what a server marked with a tag, `server:tag`.
    pub(crate) last: BTreeMap<Arc<str>, u64>,
    /// Whether the numbers of all origins are of one sequence.
    pub(crate) is_one_sequence: bool,
}

impl Lineage {
    /// Whether it has everything the other has.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.last.iter().all(|(origin, number)| self.last.get(origin) >= Some(number))
    }

    /// Whether a reader that has this has nothing which the writer's history has not. What began at
    /// the writer itself may be newer than what is known of the writer.
    pub(super) fn is_of(&self, writer: &Self) -> bool {
        let foreign = self.last.iter().filter(|(origin, _)| !is_of(origin, &writer.own));
        let mut known = foreign.map(|(origin, number)| writer.last.get(origin) >= Some(number));
        known.all(|is_known| is_known)
    }

    /// What the instance writes, or would write. The same as before where nobody has written since: a
    /// switchover and back.
    pub(super) fn reign(&self) -> Reign {
        let foreign = self.last.iter().filter(|(origin, _)| !is_of(origin, &self.own));
        let began = if self.is_one_sequence {
            self.beginning()
        } else {
            foreign.fold(0, |sum: u64, (_, number)| sum.saturating_add(*number))
        };
        Reign { origin: Arc::clone(&self.own), began }
    }

    /// Whether it began to write after the other did.
    fn is_later_than(&self, other: &Self) -> bool {
        if self.is_one_sequence && other.is_one_sequence {
            return self.beginning() > other.beginning();
        }
        self.knows(&other.own) && !other.knows(&self.own)
    }

    fn knows(&self, server: &str) -> bool {
        self.last.keys().any(|origin| is_of(origin, server))
    }

    /// Where the last transaction of another origin stands: the own ones came after it.
    fn beginning(&self) -> u64 {
        let foreign = self.last.iter().filter(|(origin, _)| !is_of(origin, &self.own));
        foreign.map(|(_, number)| *number).max().unwrap_or(0)
    }
}

/// Whether an origin is the server, or a tag of it.
fn is_of(origin: &str, server: &str) -> bool {
    let rest = origin.strip_prefix(server);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

impl Engine {
    /// Whether a claim is that of an old writer which comes back.
    pub(super) fn is_return(&self, member: &Member) -> bool {
        let (Some(own), Some(ours)) = (&member.lineage, &self.lineage) else { return false };
        let is_last = self.last_elected == Some(member.slot);
        if is_last || member.read_in == Some(self.elections) {
            return false;
        }
        let reigns = self
            .last_elected
            .and_then(|slot| self.index(slot))
            .is_some_and(|index| self.members[index].claim.is_some());
        !(own.is_later_than(ours) || !reigns && own.contains(ours))
    }
}
