//! What everybody sees at present, and when they are to see more.
//!
//! A snapshot costs as much as there are instances, and each instance's answers move freshness on:
//! together that grows with the square of the number. So whether anything else has changed is found
//! out without making a snapshot; and in a cluster larger than Aurora's can be one that would be
//! fresher and nothing else waits for a moment, unless somebody waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use super::member::Member;
use crate::config::Address;
use crate::rds::Described;
use crate::topology::{Health, InstanceId, Role, Topology};

/// Of so many instances everything is shown at once: Aurora has one writer and at most 15 readers
/// (Amazon Aurora User Guide, "Aurora DB clusters").
const SMALL: usize = 16;

/// How long freshness waits in a larger cluster, for each instance. To make a snapshot takes about
/// a microsecond for each: so that is some two thousandths of a core, however many they are.
const PAUSE_EACH: Duration = Duration::from_micros(500);

/// What the snapshot published last says of everything but freshness.
#[derive(Debug, Default)]
pub(super) struct Shown {
    instances: Vec<Seen>,
    described: Arc<Described>,
    cluster: Option<Arc<str>>,
    degraded: Option<Arc<str>>,
    at: Option<Instant>,
    /// More is known than it shows.
    is_behind: bool,
}

/// What [`crate::topology::Instance::identity`] is made of, the custom endpoint left out.
#[derive(Debug)]
struct Seen {
    id: InstanceId,
    address: Address,
    role: Role,
    health: Health,
    epoch: u64,
    online: bool,
}

impl Seen {
    fn of(member: &Member) -> Self {
        Self {
            id: member.id.clone(),
            address: member.address.clone(),
            role: member.role,
            health: member.health,
            epoch: member.epoch,
            online: member.online,
        }
    }

    fn is(&self, member: &Member) -> bool {
        self.role == member.role
            && self.health == member.health
            && self.epoch == member.epoch
            && self.online == member.online
            && self.id == member.id
            && self.address == member.address
    }
}

impl Engine {
    /// Notes that a snapshot of the present is published.
    pub(super) fn note_shown(&mut self, now: Instant) {
        let visible = self.members.iter().filter(|member| member.is_visible());
        let mut instances = std::mem::take(&mut self.shown.instances);
        instances.clear();
        instances.extend(visible.map(Seen::of));
        self.shown = Shown {
            instances,
            described: Arc::clone(&self.described),
            cluster: self.cluster.clone(),
            degraded: self.degraded.clone(),
            at: Some(now),
            is_behind: false,
        };
    }

    /// Whether a snapshot of the present would differ from the published one in freshness at most.
    /// If in doubt it says no: the snapshots are compared then.
    pub(super) fn is_shown(&self) -> bool {
        let visible = || self.members.iter().filter(|member| member.is_visible());
        let shown = &self.shown;
        Arc::ptr_eq(&shown.described, &self.described)
            && shown.cluster == self.cluster
            && shown.degraded == self.degraded
            && shown.instances.len() == visible().count()
            && shown.instances.iter().zip(visible()).all(|(seen, member)| seen.is(member))
    }

    /// Whether freshness that has come in may wait; if so that is noted.
    pub(super) fn put_off(&mut self, now: Instant) -> bool {
        let comes_with_others = self.has_more || self.members.len() > SMALL;
        let may_wait =
            comes_with_others && !self.is_awaited(now) && self.due().is_some_and(|due| now < due);
        self.shown.is_behind |= may_wait;
        may_wait
    }

    /// Whether what was put off is to be seen now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.shown.is_behind && (self.is_awaited(now) || self.due().is_none_or(|due| due <= now))
    }

    /// When what was put off is to be seen at the latest.
    pub(super) fn shows_at(&self) -> Option<Instant> {
        self.due().filter(|_| self.shown.is_behind)
    }

    /// Whether more is known than the published snapshot shows.
    pub(crate) fn is_behind(&self) -> bool {
        self.shown.is_behind
    }

    fn due(&self) -> Option<Instant> {
        let pause = PAUSE_EACH * u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.shown.at.map(|at| at + pause)
    }

    /// Whether somebody waits for freshness that is not to be seen yet.
    fn is_awaited(&self, now: Instant) -> bool {
        self.wanted(now).is_some_and(|required| !shows(&self.published, required))
    }
}

/// Whether the writer is seen to have been asked since `required`, and some reader to show what was
/// acknowledged before.
fn shows(topology: &Topology, required: Instant) -> bool {
    let last = topology.sampled.as_ref().and_then(|sampled| sampled.moments.last());
    let reader = topology.readers().first();
    last.is_some_and(|&(asked_at, _)| asked_at >= required)
        && reader.is_none_or(|reader| reader.fresh_as_of >= Some(required))
}
