//! Whose history does a reader show? Positions of one mean nothing in another.

use std::sync::Arc;
use std::time::Instant;

use super::{Engine, Report};
use crate::topology::Inherited;

/// What a reader's log is to the writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    /// It follows another history.
    Other,
    /// Up to where it is, it is the writer's.
    Same,
    /// Nobody can tell now. What it has shown before, it still shows.
    Unknown,
}

impl Engine {
    /// Feeds the freshness of everybody with what `index` said of its own log.
    pub(super) fn measure(&mut self, index: usize, report: &Report, asked_at: Instant) {
        if self.is_contested() {
            return self.forget_histories();
        }
        if self.elected == Some(self.members[index].slot) {
            let Some(position) = report.position else { return };
            self.samples.note(asked_at, position);
            for member in &mut self.members {
                member.reached.measure(&self.samples);
            }
            return;
        }
        let claims = self.members[index].claim.is_some();
        let history = if claims { History::Other } else { self.history_of(report) };
        let followed = self.followed(report);
        let member = &mut self.members[index];
        if history != History::Same {
            member.lag = None;
            member.reached.forget(history);
            return;
        }
        member.lag = report.lag;
        if let (Some(incarnation), Some(position)) = (report.incarnation, report.position) {
            member.replayed = Some(Inherited { incarnation, position });
        }
        member.followed = followed.or(member.followed.take());
        member.reached.note(&self.samples, report.position, report.lag, asked_at);
    }

    /// Whose history a reader follows, as far as it says.
    ///
    /// One that follows nobody may have been ahead of the standby which became the writer. One that
    /// hides its incarnation (without the privileges of `pg_read_all_stats`) is believed only as
    /// long as there has been no other incarnation it could follow.
    fn history_of(&self, report: &Report) -> History {
        if let (Some(own), Some(ours)) = (&report.lineage, &self.lineage)
            && !own.is_of(ours)
        {
            return History::Other;
        }
        match (report.incarnation, self.highest_incarnation) {
            (Some(own), Some(ours)) if own == ours => History::Same,
            (Some(_), _) => History::Other,
            (None, Some(_)) if report.lag.is_none() || self.has_switched => History::Unknown,
            (None, _) => History::Same,
        }
    }

    /// Whether two claim, or have claimed, to be the writer of the present incarnation. Two standbys
    /// that were promoted apart write two histories under one number, and a reader does not tell
    /// which of them it follows.
    fn is_contested(&mut self) -> bool {
        let present = self.highest_incarnation;
        let claims = self.members.iter().filter(|member| {
            present.is_some() && member.claim.is_some_and(|claim| claim.incarnation == present)
        });
        if claims.count() > 1 {
            self.contested = present;
        }
        present.is_some() && self.contested == present
    }

    /// Notes how much of the incarnation before is certainly part of the one that begins: what the
    /// new writer had replayed of it as a reader. Where exactly the histories part, only the files
    /// of the new writer tell, which an ordinary user may not read.
    pub(super) fn inherit(&mut self, heir: usize, incarnation: Option<u64>) {
        let Some(ended) = self.highest_incarnation.filter(|ended| incarnation > Some(*ended))
        else {
            return;
        };
        let replayed = self.members[heir].replayed.filter(|part| part.incarnation == ended);
        let Some(part) = replayed.filter(|_| self.contested != Some(ended)) else {
            // It came from nowhere: nothing is known of what was before.
            self.inherited = Arc::default();
            return;
        };
        // Of what was before that, it has no more than it has replayed in all: positions go on from
        // one incarnation to the next.
        let known = self
            .inherited
            .iter()
            .map(|known| Inherited { position: known.position.min(part.position), ..*known });
        self.inherited = known.chain([part]).collect();
    }

    /// Another history begins: what was measured in the one before means nothing in it.
    pub(super) fn forget_histories(&mut self) {
        self.samples.clear();
        self.members.iter_mut().for_each(|member| member.reached.clear());
    }
}
