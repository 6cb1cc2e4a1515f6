//! How much of what earlier writers wrote is certainly part of the present history, where no number
//! of the incarnation is written down (MySQL, MariaDB)?
//!
//! A reign is told by who writes, and by how much there was of others before: servers number their
//! transactions anew when they come back without their last ones, so a number alone means nothing.

use std::sync::Arc;

use super::{Engine, Report};
use crate::topology::{Ended, Reign};

/// How many reigns that ended are remembered.
const REMEMBERED: usize = 32;

impl Engine {
    /// How much a reader has of the writer's reign.
    pub(super) fn followed(&self, report: &Report) -> Option<Ended> {
        report.lineage.as_ref()?;
        let reign = self.lineage.as_ref()?.reign();
        Some(Ended { reign, position: report.position? })
    }

    /// Another writer begins its reign, before its lineage is taken for the present one: notes how
    /// much it has of the one that ends.
    pub(super) fn succeed(&mut self, heir: usize) {
        let Some(ended) = self.lineage.as_ref().map(|lineage| lineage.reign()) else { return };
        let lineage = self.members[heir].lineage.as_deref();
        let Some(begun) = lineage.map(super::Lineage::reign).filter(|begun| *begun != ended) else {
            return;
        };
        let followed = self.members[heir].followed.as_ref();
        let Some(followed) = followed.filter(|followed| followed.reign == ended) else {
            // It came from nowhere: nothing is known of what was before.
            self.ended = Arc::default();
            return;
        };
        // In one sequence, all numbers up to its own first one are of the history that it follows.
        let is_one = lineage.is_some_and(|lineage| lineage.is_one_sequence);
        let certain = if is_one { followed.position.max(begun.began) } else { followed.position };
        let last = Ended { reign: ended, position: certain };
        self.ended = ended_before(&self.ended, &begun, &last);
    }
}

/// Of what was before, the heir has no more than it has in all: positions go on from one reign to
/// the next. One that goes on has not ended.
fn ended_before(known: &[Ended], begun: &Reign, last: &Ended) -> Arc<[Ended]> {
    let others = known.iter().filter(|known| known.reign != last.reign && known.reign != *begun);
    let kept = others
        .map(|known| Ended { position: known.position.min(last.position), ..known.clone() })
        .chain([last.clone()]);
    let kept: Vec<Ended> = kept.collect();
    kept[kept.len().saturating_sub(REMEMBERED)..].into()
}
