//! Who belongs to the cluster? Answers add members; a bad answer never shrinks what is known.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::member::{Member, Origin, Slot};
use super::{Engine, Listed, Members, Output};
use crate::config::Address;
use crate::topology::{Health, InstanceId};

/// After how many of the writer's lists in a row without it a lost instance is dropped.
const UNLISTED_LIMIT: u32 = 3;

/// The same for an instance that was only suggested: a standby that is down is not suggested
/// either, and an operator wants to see for a while that it is gone.
const UNSUGGESTED_LIMIT: u32 = 300;

impl Engine {
    pub(super) fn add_member(
        &mut self,
        id: InstanceId,
        address: Address,
        origin: Origin,
        now: Instant,
    ) {
        let slot = Slot(self.next_slot);
        self.next_slot += 1;
        let mut member = Member::new(slot, id, address, origin, now);
        member.epoch = self.first_epoch;
        member.online = !self.kept_offline.remove(&member.id);
        self.members.push(member);
    }

    pub(super) fn retire(&mut self, slot: Slot, out: &mut Vec<Output>) {
        let Some(index) = self.index(slot) else { return };
        let member = self.members.remove(index);
        // Should it come back under this name, no connection of now may pass for one of then.
        self.first_epoch = self.first_epoch.max(member.epoch + 1);
        out.push(Output::Retire { slot });
    }

    /// Takes in what `index` says of others.
    pub(super) fn merge_members(
        &mut self,
        index: usize,
        members: Members,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let teller = self.members[index].slot;
        let fault = match members {
            Members::Unlisted => None,
            Members::Refused(reason) => Some(reason),
            Members::Suggested(addresses) => {
                for address in &addresses {
                    // Nearly always: it needs no name then.
                    if self.is_known(address, Origin::Suggested, now) {
                        continue;
                    }
                    let id = InstanceId::from(address.to_string());
                    self.hear_of(id, Some(address.clone()), Origin::Suggested, now);
                }
                self.forget_unsuggested(index, &addresses, now, out);
                None
            }
            Members::Listed(rows) => self.merge_list(index, &rows, now, out),
        };
        // Members may have been dropped before it in the list.
        if let Some(index) = self.index(teller) {
            self.members[index].list_fault = fault;
        }
    }

    /// Takes in a complete list; says what is wrong with it.
    fn merge_list(
        &mut self,
        index: usize,
        rows: &[Listed],
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Option<Arc<str>> {
        let teller = self.members[index].id.clone();
        if let Some(fault) = fault_of(rows, &teller) {
            return Some(Arc::from(format!(
                "{teller} answered a topology that {fault}; keeping the last good one"
            )));
        }
        // Beside the writer's good list that of a reader is but an older one.
        let by_writer = self.elected == Some(self.members[index].slot);
        if !by_writer && self.has_writers_list() {
            return None;
        }
        let mut fault = None;
        for row in rows {
            let id = InstanceId::from(&*row.name);
            let address = self.address_of(&row.name);
            // A configured address that has not answered yet may be the one.
            if !self.hear_of(id.clone(), address, Origin::Listed, now) && !self.awaits_answers() {
                fault = Some(Arc::from(format!(
                    "{id} is in the topology but has no known address; set instance_host_pattern (such as `?.example.com`)"
                )));
            }
        }
        if by_writer {
            let limit = UNLISTED_LIMIT;
            let is_listed =
                |member: &Member| rows.iter().any(|row| *row.name == *member.id.as_str());
            self.count_unlisted(is_listed);
            self.forget_unlisted(index, now, out, |m| {
                m.unlisted >= limit && (m.origin == Origin::Listed || m.server.is_some())
            });
        }
        fault
    }

    fn awaits_answers(&self) -> bool {
        let unheard = |m: &Member| m.health == Health::Unknown && m.failure.is_none();
        self.members.iter().any(|m| m.origin == Origin::Configured && unheard(m))
    }

    fn has_writers_list(&self) -> bool {
        let writer = self.elected.and_then(|slot| self.index(slot));
        writer
            .map(|index| &self.members[index])
            .is_some_and(|writer| writer.health == Health::Online && writer.list_fault.is_none())
    }

    /// Adds an instance that somebody told of; false when it is unknown where it is.
    fn hear_of(
        &mut self,
        id: InstanceId,
        address: Option<Address>,
        origin: Origin,
        now: Instant,
    ) -> bool {
        let known = self.members.iter().any(|m| m.id == id)
            || address.as_ref().is_some_and(|address| self.is_known(address, origin, now));
        match address {
            _ if known => true,
            Some(address) => {
                self.add_member(id, address, origin, now);
                true
            }
            None => false,
        }
    }

    /// Whether `address` leads to a member.
    fn is_known(&self, address: &Address, origin: Origin, now: Instant) -> bool {
        if self.members.iter().any(|member| member.address == *address) {
            return true;
        }
        if origin == Origin::Listed {
            // The list says that it is another instance: the name may have led astray for a while.
            return self.is_fresh_alias(address, now);
        }
        let ip = address.host().parse::<IpAddr>().ok();
        let is_there = |m: &Member| m.ip == ip && m.address.port() == address.port();
        self.is_alias(address) || (ip.is_some() && self.members.iter().any(is_there))
    }

    /// Counts for whom the writer's list has no place.
    fn count_unlisted(&mut self, is_listed: impl Fn(&Member) -> bool) {
        for member in &mut self.members {
            member.unlisted = if is_listed(member) { 0 } else { member.unlisted.saturating_add(1) };
        }
    }

    /// Drops suggested instances that are gone for long. An empty answer may be a missing
    /// privilege, so only their own silence makes it count.
    fn forget_unsuggested(
        &mut self,
        index: usize,
        addresses: &[Address],
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if self.elected != Some(self.members[index].slot) {
            return;
        }
        self.count_unlisted(|member| {
            member.health == Health::Online || addresses.contains(&member.address)
        });
        self.forget_unlisted(index, now, out, |member| {
            member.unlisted >= UNSUGGESTED_LIMIT && member.origin == Origin::Suggested
        });
    }

    /// Drops instances that the writer no longer lists and that are gone by their own silence.
    fn forget_unlisted(
        &mut self,
        teller: usize,
        now: Instant,
        out: &mut Vec<Output>,
        is_unlisted: impl Fn(&Member) -> bool,
    ) {
        let teller = self.members[teller].slot;
        let is_gone = |member: &&Member| {
            matches!(member.health, Health::Lost | Health::Unknown | Health::Foreign)
                && member.slot != teller
                && is_unlisted(member)
        };
        let gone: Vec<Slot> = self.members.iter().filter(is_gone).map(|m| m.slot).collect();
        for slot in gone {
            self.drop_for(slot, teller, now, out);
        }
    }

    /// Is what we know of the members good? The writer's list counts; without one, any good list.
    pub(super) fn judge_lists(&mut self) {
        let mut online = self.members.iter().filter(|member| member.health == Health::Online);
        let writer = online.clone().find(|member| self.elected == Some(member.slot));
        let teller = writer.or_else(|| online.clone().find(|member| member.list_fault.is_none()));
        // While nobody answers, nobody knows better.
        if let Some(teller) = teller.or_else(|| online.next()) {
            self.degraded.clone_from(&teller.list_fault);
        }
    }

    pub(super) fn address_of(&self, name: &str) -> Option<Address> {
        let pattern = self.settings.instance_host_pattern.as_ref()?;
        Some(pattern.address(name, self.settings.default_port))
    }
}

/// What is wrong with a topology answer, if anything.
fn fault_of(rows: &[Listed], teller: &InstanceId) -> Option<&'static str> {
    if rows.is_empty() {
        return Some("is empty");
    }
    if rows.iter().any(|row| row.name.trim().is_empty()) {
        return Some("has an instance without a name");
    }
    if !rows.iter().any(|row| *row.name == *teller.as_str()) {
        return Some("does not name itself");
    }
    if !rows.iter().any(|row| row.is_writer) {
        return Some("names no writer");
    }
    None
}
