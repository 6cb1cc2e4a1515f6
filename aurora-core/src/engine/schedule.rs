//! When is whom to be asked?

use std::time::{Duration, Instant};

use super::member::Slot;
use super::unrest::{Unrest, pace};
use super::{Engine, FailureKind, Output, ProbeFailure};
use crate::event::Event;
use crate::topology::Health;

/// How long a monitor that died rests before it is asked again; doubled with every death in a row.
const REST: Duration = Duration::from_millis(100);

/// The longest rest of a monitor that dies again and again.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// How many times as long it takes until a suggested address is asked again that was found to be
/// no member.
const WRONG_GUESS: u32 = 10;

/// How often an instance is asked within the time it may take to answer, each time over another
/// connection. With one probe of twenty lost, five in a row are lost once in three million times.
const TRIES: u32 = 5;

/// How many times its usual time an answer may take without suspicion.
const SLOWER: u32 = 4;

/// By which part of the interval two probes are closer at most, so that processes that began at the
/// same time do not ask in step.
const EARLY: u32 = 20;

impl Engine {
    /// When [`Engine::handle`] wants to be called again, with `Input::Tick` if nothing else.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let patience = self.patience();
        let per_member = self.members.iter().flat_map(|member| {
            let verdict = member.failing_since.map(|since| since + self.settings.silence);
            let due = match member.probe_asked {
                Some(asked) => asked + patience,
                None => member.next_probe.max(member.not_before),
            };
            [Some(due), verdict, member.overdue_at]
        });
        per_member.flatten().chain(self.shows_at()).min()
    }

    /// Everybody is asked at once: something happened.
    pub(super) fn all_due(&mut self, now: Instant) {
        for member in &mut self.members {
            member.next_probe = now;
        }
    }

    /// Plans the probe after the one asked at `asked_at`.
    pub(super) fn plan_next(&mut self, index: usize, asked_at: Instant, now: Instant) {
        let interval = self.interval(index, now);
        let member = &mut self.members[index];
        // Made due while one was under way: that one may have been asked too early.
        if member.next_probe > asked_at {
            member.next_probe = now;
        } else {
            member.next_probe = now + interval;
        }
    }

    /// The writer has answered: whoever is due soon is asked in the same wake-up of the process.
    ///
    /// To wake up costs more than to ask. And what a reader says right after the writer tells how
    /// far it is behind as exactly as can be.
    pub(super) fn take_along(&mut self, now: Instant) {
        let soon = now + self.settings.probe_interval / EARLY * 2;
        for member in &mut self.members {
            if member.probe_asked.is_none() && member.next_probe <= soon {
                member.next_probe = member.next_probe.min(now);
            }
        }
    }

    /// Sends the probes that are due.
    pub(super) fn schedule(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.note_urgency(now);
        for index in 0..self.members.len() {
            let hurried = self.hurried(index, now);
            let member = &mut self.members[index];
            if let Some(interval) = hurried {
                member.next_probe = member.next_probe.min(now + interval);
            }
            if member.probe_asked.is_some() || member.next_probe.max(member.not_before) > now {
                continue;
            }
            let usual = self.usual(self.members[index].round_trip);
            let hedge = self.usual(self.members[index].shortest_round_trip());
            let member = &mut self.members[index];
            // `plan_next` compares with this to see whether it was made due again.
            member.next_probe = now;
            member.probe_asked = Some(now);
            let is_present = matches!(member.health, Health::Online | Health::Fenced);
            member.overdue_at = is_present.then_some(now + usual);
            // Whatever makes it due again and again, there is a pace that is never exceeded.
            member.not_before = now + self.settings.failover_interval;
            out.push(Output::Probe {
                slot: member.slot,
                address: member.address.clone(),
                timeout: self.settings.silence,
                hedge: hedge.min(self.settings.silence / 2),
            });
        }
    }

    /// How long an answer may take without anybody wondering. After that another try is made beside
    /// the first, and the instance is suspect: one that was lost or stalled must not cost the
    /// instance its use for long, and one that is merely slow, by less than [`SLOWER`] times what
    /// it used to be, is no reason for suspicion.
    ///
    /// Other tries go by the shortest of the last answers: an average that our own standstills have
    /// raised would leave so few tries that a stall of each condemns the instance.
    fn usual(&self, round_trip: Duration) -> Duration {
        (self.settings.silence / TRIES).max(round_trip * SLOWER)
    }

    /// The task that monitors an instance died. That says nothing about the instance.
    pub(super) fn monitor_died(
        &mut self,
        now: Instant,
        slot: Slot,
        reason: String,
        out: &mut Vec<Output>,
    ) {
        let Some(index) = self.index(slot) else { return };
        let member = &mut self.members[index];
        let rest = REST.saturating_mul(2_u32.saturating_pow(member.deaths)).min(LONGEST_REST);
        member.deaths = member.deaths.saturating_add(1);
        member.probe_asked = None;
        member.overdue_at = None;
        member.watched_since = None;
        member.next_probe = now;
        member.not_before = now + rest;
        if member.health == Health::Suspect {
            // Nobody can clear it of the suspicion, so the verdict must not wait for an answer.
            member.failing_since.get_or_insert(now);
        }
        let instance = member.id.clone();
        out.push(Output::Announce(Event::MonitorRestarted { instance, reason }));
    }

    /// Without a writer that answers, everybody is asked often. (One that an operator took out of
    /// use answers: there is nothing to find out.)
    fn note_urgency(&mut self, now: Instant) {
        let writer = self.elected.and_then(|slot| self.index(slot));
        self.is_urgent = writer.is_none_or(|index| self.members[index].health != Health::Online);
        if self.is_urgent {
            self.urgency = Some(Unrest::after(self.urgency, now));
        }
    }

    /// A probe whose answer is overdue by far has no monitor behind it any more.
    pub(super) fn give_up_stuck(&mut self, now: Instant) {
        let patience = self.patience();
        let overdue = |asked: &Instant| *asked + patience <= now;
        let stuck = self.members.iter().filter_map(|member| {
            member.probe_asked.filter(overdue).map(|asked_at| (member.slot, asked_at))
        });
        for (slot, asked_at) in stuck.collect::<Vec<_>>() {
            let message = "the monitor did not report back in time".into();
            let failure = ProbeFailure { kind: FailureKind::Silent, message };
            self.unreachable(now, slot, asked_at, failure);
        }
    }

    fn patience(&self) -> Duration {
        self.settings.connect_timeout + self.settings.silence * 3
    }

    /// How long to wait between two probes of one instance. Jitter only shortens it: the
    /// configured interval is the longest that a failure can go unnoticed. The writer comes first,
    /// so that it takes the others along.
    fn interval(&mut self, index: usize, now: Instant) -> Duration {
        let is_writer = self.elected == Some(self.members[index].slot);
        let jitter = if is_writer { 1.0 - self.rng.f64() / f64::from(EARLY) } else { 1.0 };
        let normal = match self.members[index].is_visible() {
            true => self.settings.probe_interval,
            false => self.settings.probe_interval * WRONG_GUESS,
        };
        self.hurried(index, now).unwrap_or_else(|| normal.mul_f64(jitter))
    }

    /// The shorter interval of an instance about which something has to be found out.
    fn hurried(&self, index: usize, now: Instant) -> Option<Duration> {
        let wanting = self.wanting(index, now);
        let troubled = self.troubled(index, now);
        wanting.map_or(troubled, |pace| Some(troubled.map_or(pace, |own| own.min(pace))))
    }

    /// The interval at which it is asked in times of trouble.
    fn troubled(&self, index: usize, now: Instant) -> Option<Duration> {
        let member = &self.members[index];
        // A server that answers with a refusal is not to be hammered: nothing comes of it.
        if member.failure.is_some_and(FailureKind::is_answer) || !member.is_visible() {
            return None;
        }
        let own = member.suspect_since.filter(|_| member.health == Health::Suspect);
        let urgent = Unrest::since(self.urgency.filter(|_| self.is_urgent), now);
        let since = own.or(urgent)?;
        let since = Unrest::since(member.unrest, now).map_or(since, |unrest| unrest.min(since));
        Some(pace(&self.settings, now.saturating_duration_since(since)))
    }
}
