//! Can an instance be used? Suspicion, verdict and recovery.

use std::sync::Arc;
use std::time::Instant;

use super::member::{Member, Slot};
use super::unrest::Unrest;
use super::{Complaint, Engine, FailureKind, ProbeFailure, Report};
use crate::topology::{Health, InstanceId, Role};

impl Engine {
    /// An adapter complained: a hint, never proof. What it saw on an older epoch is stale.
    pub(super) fn complained(
        &mut self,
        now: Instant,
        instance: &InstanceId,
        epoch: u64,
        complaint: Complaint,
        message: Arc<str>,
    ) {
        let Some(index) = self.members.iter().position(|m| m.id == *instance) else { return };
        let member = &self.members[index];
        if member.epoch != epoch || member.health != Health::Online {
            return;
        }
        // Of a stream of complaints only some are heeded, or single connections that break
        // would keep a healthy instance out of use.
        if !self.alarm(index, now) {
            return;
        }
        match complaint {
            Complaint::ConnectionLost => suspect(&mut self.members[index], now, message),
            // A read-only transaction of the user's own looks the same: it stays in use while
            // it is asked.
            Complaint::WrongRole => {}
        }
    }

    /// The monitor's own idle connection broke: so did, most likely, every other one.
    pub(super) fn disconnected(&mut self, now: Instant, slot: Slot, message: Arc<str>) {
        let Some(index) = self.index(slot) else { return };
        let member = &mut self.members[index];
        member.sessions_broke = true;
        member.watched_since = None;
        if matches!(member.health, Health::Online | Health::Fenced) {
            suspect(member, now, message);
        }
        self.alarm(index, now);
    }

    /// A probe got no answer.
    pub(super) fn unreachable(
        &mut self,
        now: Instant,
        slot: Slot,
        asked_at: Instant,
        failure: ProbeFailure,
    ) {
        let Some(index) = self.index(slot) else { return };
        let member = &mut self.members[index];
        member.probe_asked = None;
        member.overdue_at = None;
        // The monitor gave its session up, if it had one.
        member.watched_since = None;
        member.deaths = 0;
        if failure.kind != FailureKind::Credentials {
            member.stats.count_failed_probe();
        }
        member.last_error = Some(Arc::clone(&failure.message));
        member.failure = Some(failure.kind);
        self.plan_next(index, asked_at, now);
        match failure.kind {
            FailureKind::Credentials | FailureKind::TooManyConnections => {
                return self.is_no_fault(index);
            }
            FailureKind::Refused => {
                if lose(&mut self.members[index], now) {
                    self.alarm_if_writer(index, now);
                }
                return;
            }
            FailureKind::Reset => self.members[index].sessions_broke = true,
            FailureKind::Authentication
            | FailureKind::NotReady
            | FailureKind::Other
            | FailureKind::Privilege
            | FailureKind::Silent
            | FailureKind::Tls => {}
        }
        let member = &mut self.members[index];
        if failure.kind == FailureKind::Silent && member.has_served_since(asked_at) {
            serves(member);
            // From then on it has been silent.
            member.failing_since = member.stats.served_at();
            return;
        }
        // A report that comes later than any deadline allows tells of our own delay: it must not
        // count as time that the instance was silent.
        let longest = self.settings.connect_timeout + self.settings.silence;
        let late = now.saturating_duration_since(asked_at) > longest;
        let member = &mut self.members[index];
        member.failing_since.get_or_insert(if late { now } else { asked_at });
        if matches!(member.health, Health::Online | Health::Fenced | Health::Foreign) {
            suspect(member, now, failure.message);
            self.alarm_if_writer(index, now);
        }
    }

    /// It is alive and has no room for the monitor, or the monitor has nothing to log in with:
    /// that is not death. Unless it may have restarted meanwhile, its connections go on to serve.
    fn is_no_fault(&mut self, index: usize) {
        serves(&mut self.members[index]);
    }

    /// An answer takes longer than it used to: the instance is not used until one has come. It is
    /// asked again meanwhile, over other connections.
    pub(super) fn suspect_overdue(&mut self, now: Instant) {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let (Some(asked_at), Some(overdue_at)) = (member.probe_asked, member.overdue_at) else {
                continue;
            };
            if overdue_at > now {
                continue;
            }
            member.overdue_at = None;
            let is_present = matches!(member.health, Health::Online | Health::Fenced);
            if !is_present || member.has_served_since(asked_at) {
                continue;
            }
            let waited = now.saturating_duration_since(asked_at);
            suspect(member, now, format!("no answer to a probe for {waited:?}").into());
            // The answer to this probe, if it comes, clears it.
            member.suspect_since = Some(asked_at);
            self.alarm_if_writer(index, now);
        }
    }

    /// Declares lost whoever has failed for the detection time.
    pub(super) fn pass_verdicts(&mut self, now: Instant) {
        for member in &mut self.members {
            let Some(since) = member.failing_since else { continue };
            if now.saturating_duration_since(since) < self.settings.silence {
                continue;
            }
            if member.has_served_since(since) {
                member.failing_since = member.stats.served_at();
            } else {
                lose(member, now);
            }
        }
    }

    /// A writer of an earlier incarnation that does not answer is not waited for: what runs on it
    /// is of no use any more, whether it hangs or only seems to, and may wait for it for long.
    pub(super) fn give_up_overtaken(&mut self, now: Instant) {
        let highest = self.highest_incarnation;
        for member in &mut self.members {
            let incarnation = member.claim.and_then(|claim| claim.incarnation);
            if member.health == Health::Suspect && incarnation.is_some() && incarnation < highest {
                lose(member, now);
            }
        }
    }

    /// It answered: it is there. Connections from before a loss or a restart stay out of use.
    pub(super) fn recovered(&mut self, index: usize, report: &Report) {
        let elected = self.elected;
        let member = &mut self.members[index];
        let moved = report.ip.is_some() && member.ip.is_some() && member.ip != report.ip;
        let restarted = member.server.is_some() && member.server != report.server;
        let broke = std::mem::take(&mut member.sessions_broke) && member.health == Health::Suspect;
        if moved || restarted || broke {
            member.next_epoch();
        }
        if restarted {
            member.replayed = None;
            member.followed = None;
            member.reached.clear();
            if elected == Some(member.slot) {
                // A crash may have lost the end of the log: the positions there come again.
                self.forget_histories();
            }
        }
        let member = &mut self.members[index];
        member.answered = true;
        member.ip = report.ip.or(member.ip);
        member.server.clone_from(&report.server);
        member.failing_since = None;
        member.suspect_since = None;
        member.lost_since = None;
        member.failure = None;
        if member.health != Health::Fenced {
            member.health = Health::Online;
            member.last_error = None;
        }
    }

    /// Whether the answer comes from this cluster at all.
    pub(super) fn same_cluster(&mut self, index: usize, report: &Report) -> bool {
        let Some(theirs) = &report.cluster else { return true };
        let ours = self.cluster.get_or_insert_with(|| Arc::clone(theirs));
        if ours == theirs {
            return true;
        }
        let member = &mut self.members[index];
        if member.health != Health::Foreign {
            member.next_epoch();
        }
        // It is another server: nothing known of the one that was there holds.
        member.health = Health::Foreign;
        member.role = Role::Unknown;
        member.claim = None;
        member.claimed = None;
        member.server = None;
        member.sessions_broke = false;
        member.failing_since = None;
        member.suspect_since = None;
        member.lost_since = None;
        member.failure = None;
        member.lag = None;
        member.replayed = None;
        member.followed = None;
        member.reached.clear();
        member.last_error = Some(Arc::from(format!(
            "{} belongs to another cluster (system identifier {theirs}, expected {ours}); remove it from the URL",
            member.address
        )));
        false
    }

    fn alarm_if_writer(&mut self, index: usize, now: Instant) {
        if self.elected == Some(self.members[index].slot) {
            self.alarm(index, now);
        }
    }
}

/// Statements are answered, whatever became of probes: a server whose listener hangs goes on to
/// serve the sessions it has.
fn serves(member: &mut Member) {
    member.failing_since = None;
    if member.health == Health::Suspect && !member.sessions_broke {
        member.health = Health::Online;
        member.suspect_since = None;
    }
}

fn suspect(member: &mut Member, now: Instant, reason: Arc<str>) {
    member.unrest = Some(Unrest::after(member.unrest, now));
    member.health = Health::Suspect;
    member.suspect_since = Some(now);
    member.last_error = Some(reason);
}

/// Declares a member lost; true when it was not before.
fn lose(member: &mut Member, now: Instant) -> bool {
    member.failing_since = None;
    member.suspect_since = None;
    member.claim = None;
    member.sessions_broke = false;
    if member.health == Health::Lost {
        return false;
    }
    if member.answered {
        member.next_epoch();
        member.unrest = Some(Unrest::after(member.unrest, now));
    }
    member.health = Health::Lost;
    member.lost_since = Some(now);
    true
}
