//! How long has an instance been troublesome? The longer, the slower it is asked and listened to.

use std::time::{Duration, Instant};

use super::{Engine, Settings};

/// During trouble the interval grows with the time it has lasted, to this part of it, so that a
/// short one is found out at once and a long one does not hammer the servers.
const HURRY_PART: u32 = 50;

/// Trouble that comes back within this time is the same one: an instance in a crash loop is not
/// treated as freshly fallen each time.
const CALM: Duration = Duration::from_secs(10);

/// A row of troubles with one instance, with less than [`CALM`] between two of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unrest {
    since: Instant,
    last: Instant,
    /// When everybody was last asked because of it.
    alarmed: Option<Instant>,
}

impl Unrest {
    /// The unrest that goes on, or a new one, after trouble at `now`.
    pub(super) fn after(before: Option<Self>, now: Instant) -> Self {
        match before.filter(|unrest| unrest.is_present(now)) {
            Some(unrest) => Self { last: now, ..unrest },
            None => Self { since: now, last: now, alarmed: None },
        }
    }

    /// Since when it lasts, if it still does.
    pub(super) fn since(before: Option<Self>, now: Instant) -> Option<Instant> {
        before.filter(|unrest| unrest.is_present(now)).map(|unrest| unrest.since)
    }

    fn is_present(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < CALM
    }
}

/// How long to wait between two questions when the trouble has lasted for `elapsed`.
pub(super) fn pace(settings: &Settings, elapsed: Duration) -> Duration {
    (elapsed / HURRY_PART).max(settings.failover_interval).min(settings.probe_interval)
}

impl Engine {
    /// Trouble with one instance: everybody is asked. False when that was done for it, or it was
    /// asked itself, only just now; then it is asked when its turn comes, and until then only
    /// what is proven counts.
    pub(super) fn alarm(&mut self, index: usize, now: Instant) -> bool {
        let member = &mut self.members[index];
        let unrest = Unrest::after(member.unrest, now);
        let pace = pace(&self.settings, now.saturating_duration_since(unrest.since));
        let again = unrest.alarmed.map(|at| at + pace).filter(|at| *at > now);
        let next_turn = now + self.settings.failover_interval;
        let soon = member.not_before > now && member.not_before <= next_turn;
        let alarmed = if again.is_some() { unrest.alarmed } else { Some(now) };
        member.unrest = Some(Unrest { alarmed, ..unrest });
        match again {
            Some(at) => {
                member.next_probe = member.next_probe.min(at);
                false
            }
            None => {
                self.all_due(now);
                !soon
            }
        }
    }
}
