//! Which member is it that answered? A server may be reached at several addresses, and an address
//! lead to another server than before.

use std::time::Instant;

use super::member::{Member, Origin, Slot};
use super::{Engine, Output, Report};
use crate::topology::{Health, InstanceId};

/// Who has answered a probe.
pub(super) enum Identity {
    /// The member of that index.
    Member(usize),
    /// That one, but it is to be asked at its own address before its word counts.
    Elsewhere(usize),
    /// One that is monitored under another address already (a cluster endpoint, a second name).
    Twin,
}

impl Engine {
    /// Finds out which member has answered, by the name and the process it gave.
    pub(super) fn identify(
        &mut self,
        index: usize,
        report: &Report,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Identity {
        let name = report.name.as_deref().map(InstanceId::from);
        let slot = self.members[index].slot;
        // There may be one of that name and one of that process, apart until now.
        while let Some((twin, twin_origin)) = self.twin(slot, name.as_ref(), report) {
            let Some(index) = self.index(slot) else { break };
            // The configured name is the better one: certificates are made for it.
            if twin_origin == Origin::Suggested && self.members[index].origin != Origin::Suggested {
                self.retire_alias(twin, slot, report, now, out);
                continue;
            }
            self.retire_alias(slot, twin, report, now, out);
            if let Some(index) = self.index(twin) {
                self.members[index].next_probe = now;
            }
            return Identity::Twin;
        }
        // Retiring twins may have moved it.
        let Some(index) = self.index(slot) else { return Identity::Twin };
        match name {
            Some(name) if name != self.members[index].id => self.rename(index, name, report, now),
            Some(_) | None => Identity::Member(index),
        }
    }

    /// Another member than that of `slot` which is the one that answered.
    fn twin(
        &self,
        slot: Slot,
        name: Option<&InstanceId>,
        report: &Report,
    ) -> Option<(Slot, Origin)> {
        let is_twin = |other: &&Member| {
            let is_same_process = report.server.is_some() && other.server == report.server;
            other.slot != slot
                && (name == Some(&other.id) || is_same_process && other.health == Health::Online)
        };
        self.members.iter().find(is_twin).map(|twin| (twin.slot, twin.origin))
    }

    /// Gives a member the name it has for itself, and the address that goes with the name.
    fn rename(
        &mut self,
        index: usize,
        name: InstanceId,
        report: &Report,
        now: Instant,
    ) -> Identity {
        let own = self.address_of(name.as_str());
        let first_epoch = self.first_epoch;
        let kept_offline = self.kept_offline.remove(&name);
        let member = &mut self.members[index];
        let asked = member.address.clone();
        if member.answered {
            // The address leads to another instance now: nothing known of the old one holds.
            let (epoch, not_before) = (first_epoch.max(member.epoch + 1), member.not_before);
            *member = Member::new(member.slot, name, asked.clone(), member.origin, now);
            (member.epoch, member.not_before) = (epoch, not_before);
            self.first_epoch = epoch;
        } else {
            member.id = name;
            // The name may have been another member's, and so may the one before this.
            self.first_epoch = first_epoch.max(member.epoch + 1);
            member.epoch = member.epoch.max(first_epoch);
        }
        member.online &= !kept_offline;
        let Some(own) = own.filter(|own| *own != asked) else { return Identity::Member(index) };
        // What a cluster endpoint answers proves nothing about the instance's own address.
        member.address = own;
        member.health = Health::Unknown;
        member.failure = None;
        member.last_error = None;
        member.failing_since = None;
        member.lost_since = None;
        member.next_epoch();
        member.next_probe = now;
        let slot = member.slot;
        self.note_alias(asked, slot, report, now);
        Identity::Elsewhere(index)
    }
}
