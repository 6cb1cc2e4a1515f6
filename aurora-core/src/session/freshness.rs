//! How recent what a session reads must be, and whom it reads from.

use std::time::Instant;

use super::Session;
use crate::config::Freshness;
use crate::route::Need;
use crate::sql::Classification;
use crate::topology::{InstanceId, Role};

impl Session {
    /// Sets how recent the data must be that its reads see, until [`Session::reset`]; returns what
    /// was in force before.
    pub fn set_freshness(&mut self, freshness: Freshness) -> Freshness {
        std::mem::replace(&mut self.freshness, freshness)
    }

    /// Has all its reads see what was acknowledged before `moment`, whatever its freshness, until
    /// [`Session::reset`]: it continues another session ([`Cluster::redeem`](crate::Cluster::redeem)).
    /// While a transaction or session state ties it to its connection, its statements stay there.
    pub fn require(&mut self, moment: Instant) {
        self.required = self.required.max(Some(moment));
    }

    /// Before which moment everything was acknowledged that a token of this session stands for
    /// ([`Cluster::token`](crate::Cluster::token)): its last write that was committed, and what it
    /// continues; `now` where what it does on its connection is not all seen. `None` if there is
    /// nothing.
    #[must_use]
    pub fn stands_for(&self, now: Instant) -> Option<Instant> {
        if self.pinned { Some(now) } else { self.last_write.max(self.required) }
    }

    /// The reader that it stays with: with [`Freshness::Session`] one unit of work reads from one
    /// reader, as long as that is fresh enough. Other levels spread their statements.
    #[must_use]
    pub fn reader(&self) -> Option<&InstanceId> {
        self.reader.as_ref().filter(|_| self.freshness == Freshness::Session)
    }

    /// Notes where its statement is about to run.
    pub fn settle(&mut self, instance: &InstanceId, role: Role) {
        if role == Role::Reader && self.reader.as_ref() != Some(instance) {
            self.reader = Some(instance.clone());
        }
    }

    /// A level that the statement itself names counts more than the scope it runs in.
    pub(super) fn read_need(
        &self,
        classification: &Classification,
        clock: impl FnOnce() -> Instant,
    ) -> Need {
        let level = match (classification.freshness(), self.forced) {
            (Some(own), _) => own,
            (None, Some(_)) => return Need::Read { fresh_as_of: None },
            (None, None) => self.freshness,
        };
        match Need::read(level, self.last_write, clock) {
            Need::Read { fresh_as_of } => {
                Need::Read { fresh_as_of: fresh_as_of.max(self.required) }
            }
            Need::Write => Need::Write,
        }
    }
}
