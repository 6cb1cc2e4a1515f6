//! Which instance is the writer? Only one that says so of itself, and at most one.

use std::sync::Arc;

use super::member::{Claim, Member, Slot};
use super::{Engine, Report};
use crate::topology::{Health, Role};

impl Engine {
    /// Takes an instance's word about itself: whether it claims to be the writer.
    pub(super) fn take_word(&mut self, index: usize, report: &Report) {
        let claims = report.accepts_writes || self.was_overtaken(report);
        let member = &mut self.members[index];
        member.lineage.clone_from(&report.lineage);
        if !claims {
            member.read_in = Some(self.elections);
            member.claim = None;
            member.claimed = None;
            set_role(member, Role::Reader);
            return;
        }
        // One that was out of reach and never gave its claim up makes no later one by coming back:
        // meanwhile another may have become the writer. A new process makes a new claim.
        let process = report.server.as_ref();
        let kept = member.claimed.as_ref().filter(|(server, _)| Some(server) == process);
        let known = member.claim.map(|claim| claim.order).or(kept.map(|(_, order)| *order));
        let order = known.unwrap_or_else(|| {
            self.claims += 1;
            self.claims
        });
        member.claimed = process.map(|server| (Arc::clone(server), order));
        member.claim = Some(Claim { incarnation: report.incarnation, order });
    }

    /// Whether it is the writer of an earlier incarnation that somebody made read-only: it follows
    /// nobody, so that it never learns what is written now, and is no reader.
    fn was_overtaken(&self, report: &Report) -> bool {
        let earlier = report.incarnation.is_some_and(|own| Some(own) < self.highest_incarnation);
        report.stands_still && earlier
    }

    /// Elects the writer among those that claim to be it, and fences the others.
    pub(super) fn elect(&mut self) {
        let best = self.members.iter().filter(|m| self.may_write(m)).max_by_key(|m| self.weight(m));
        if let Some(slot) = best.map(|member| member.slot) {
            self.enthrone(slot);
        } else if self.elected.is_some_and(|slot| self.has_stepped_down(slot)) {
            self.elected = None;
        }
        self.settle();
    }

    /// Whether its claim counts: present, of this cluster, and of no earlier incarnation.
    fn may_write(&self, member: &Member) -> bool {
        let Some(claim) = member.claim else { return false };
        let is_later = claim.incarnation.is_none() || claim.incarnation >= self.highest_incarnation;
        is_later && !self.is_return(member)
    }

    /// The later incarnation wins. Of two of the same one that is written down (PostgreSQL's
    /// timeline) the present writer stays, so that two that both claim do not alternate; where
    /// there is none (Aurora, whose storage lets only one write) the later claim wins.
    fn weight(&self, member: &Member) -> (Option<u64>, bool, u64) {
        let claim = member.claim.unwrap_or(Claim { incarnation: None, order: 0 });
        let incumbent = claim.incarnation.is_some() && self.elected == Some(member.slot);
        (claim.incarnation, incumbent, claim.order)
    }

    /// An elected writer stays elected while nobody knows better: only its own word, or that it
    /// left the cluster, ends it.
    fn has_stepped_down(&self, slot: Slot) -> bool {
        self.index(slot).is_none_or(|index| self.members[index].role != Role::Writer)
    }

    fn enthrone(&mut self, slot: Slot) {
        let Some(index) = self.index(slot) else { return };
        let incarnation = self.members[index].claim.and_then(|claim| claim.incarnation);
        if self.elected != Some(slot) || incarnation > self.highest_incarnation {
            self.inherit(index, incarnation);
            // A reader may have more of the old history than the new writer has, or be rewound.
            self.forget_histories();
        }
        self.has_switched |= self.highest_incarnation.is_some_and(|old| incarnation > Some(old));
        self.highest_incarnation = self.highest_incarnation.max(incarnation);
        if self.last_elected != Some(slot) {
            // The next loss of a writer is not the last one going on.
            self.urgency = None;
            self.elections += 1;
        }
        self.succeed(index);
        self.lineage.clone_from(&self.members[index].lineage);
        self.last_elected = Some(slot);
        self.elected = Some(slot);
    }

    /// Gives everybody the role that follows from the election.
    fn settle(&mut self) {
        let elected = self.elected;
        for member in &mut self.members {
            if elected == Some(member.slot) {
                set_role(member, Role::Writer);
                if member.health == Health::Fenced {
                    member.health = Health::Online;
                }
            } else if member.claim.is_some() {
                set_role(member, Role::Unknown);
                if matches!(member.health, Health::Online | Health::Fenced) {
                    member.health = Health::Fenced;
                    member.last_error = Some(Arc::from(
                        "it claims to be the writer, but another instance is a later one; rejoin it as a reader",
                    ));
                }
            } else if member.role == Role::Writer {
                set_role(member, Role::Unknown);
            } else if member.health == Health::Fenced {
                member.health = Health::Online;
                member.last_error = None;
            }
        }
    }
}

fn set_role(member: &mut Member, role: Role) {
    if member.role == role {
        return;
    }
    // The first word about a role ends no connection: there was none before it.
    if member.role != Role::Unknown {
        member.next_epoch();
    }
    member.role = role;
}
