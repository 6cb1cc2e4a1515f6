//! Somebody wants freshness that no reader has: writer and readers are asked often for a while.

use std::time::{Duration, Instant};

use super::Engine;
use super::unrest::pace;
use crate::topology::{Health, Role};

/// For how long one demand counts. Whoever still wants it has asked again by then.
const HOLD: Duration = Duration::from_secs(1);

/// Freshness that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// The latest of the moments that were asked for.
    required: Instant,
    since: Instant,
    last: Instant,
}

impl Engine {
    /// Somebody wants a reader that shows everything acknowledged before `required`.
    pub(super) fn want(&mut self, now: Instant, required: Instant) {
        let required = required.min(now);
        let before = self.want.filter(|want| want.is_present(now));
        let since = before.map_or(now, |want| want.since);
        let latest = before.map_or(required, |want| want.required.max(required));
        self.want = Some(Want { required: latest, since, last: now });
        // A demand that goes on is served at its own pace.
        let is_new = before.is_none_or(|want| self.has_fresh(want.required));
        if is_new && !self.has_fresh(required) {
            for index in self.sampled() {
                self.members[index].next_probe = now;
            }
        }
    }

    /// The moment whose data somebody wants now.
    pub(super) fn wanted(&self, now: Instant) -> Option<Instant> {
        self.want.filter(|want| want.is_present(now)).map(|want| want.required)
    }

    /// The interval at which the instance is asked while freshness is wanted that is not there:
    /// often at first. A reader that is far behind will still be in a moment, so the further it is,
    /// the slower.
    pub(super) fn wanting(&self, index: usize, now: Instant) -> Option<Duration> {
        let want = self.want.filter(|want| want.is_present(now))?;
        if !self.sampled().any(|sampled| sampled == index) || self.has_fresh(want.required) {
            return None;
        }
        let known = self.readers().filter_map(|reader| self.members[reader].reached.fresh_as_of());
        let progress = known.max().map_or(want.since, |freshest| freshest.max(want.since));
        Some(pace(&self.settings, now.saturating_duration_since(progress)))
    }

    /// Whether the writer has been sampled since, and some reader, if there is one, has come as far.
    fn has_fresh(&self, required: Instant) -> bool {
        let mut readers = self.readers().peekable();
        let none = readers.peek().is_none();
        let fresh = |index: usize| self.members[index].reached.fresh_as_of() >= Some(required);
        self.samples.newest().is_some_and(|(at, _)| at >= required) && (none || readers.any(fresh))
    }

    /// Whom it is about: the writer and the readers that can be used.
    fn sampled(&self) -> impl Iterator<Item = usize> + use<> {
        let writer = self.elected.and_then(|slot| self.index(slot));
        let writer = writer.filter(|index| self.members[*index].health == Health::Online);
        writer.into_iter().chain(self.readers().collect::<Vec<_>>())
    }

    fn readers(&self) -> impl Iterator<Item = usize> {
        let members = self.members.iter().enumerate();
        let usable = members.filter(|(_, member)| {
            member.role == Role::Reader
                && member.health == Health::Online
                && member.online
                && self.described.admits(&member.id, &member.address)
        });
        usable.map(|(index, _)| index)
    }
}

impl Want {
    fn is_present(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < HOLD
    }
}
