//! Addresses that lead to an instance which is monitored under another one.
//!
//! A cluster endpoint, a second name, the address an instance was renamed from: they are not
//! monitored, but not forgotten. When the instance behind one is gone, the address may lead to
//! another one, and a configured address is then asked again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::member::{Member, Origin, Slot};
use super::{Engine, Output, Report};
use crate::config::Address;
use crate::topology::{Health, InstanceId};

/// How long nobody must have answered until configured addresses that are not monitored are
/// asked again. A failover is mostly over by then, and asks nobody in vain.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How many addresses that nobody configured are remembered, the last ones: to forget one costs a
/// probe when it is suggested again, and where addresses change for ever they must not pile up.
const SUGGESTED: usize = 32;

/// An address that led to the member of slot `of`.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    address: Address,
    of: Slot,
    /// Which server process it was, where servers have no names of their own.
    server: Option<Arc<str>>,
    since: Instant,
}

impl Engine {
    /// Remembers that `address` led to the member of slot `of`.
    pub(super) fn note_alias(&mut self, address: Address, of: Slot, report: &Report, now: Instant) {
        let server = report.server.clone().filter(|_| report.name.is_none());
        self.aliases.retain(|alias| alias.address != address);
        self.aliases.push(Alias { address, of, server, since: now });
        let is_suggested = |alias: &Alias| !self.configured.contains(&alias.address);
        if self.aliases.iter().filter(|alias| is_suggested(alias)).count() > SUGGESTED
            && let Some(oldest) = self.aliases.iter().position(is_suggested)
        {
            self.aliases.remove(oldest);
        }
    }

    /// Retires the member of `slot`: it is the one of slot `twin` under another address.
    pub(super) fn retire_alias(
        &mut self,
        slot: Slot,
        twin: Slot,
        report: &Report,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(index) = self.index(slot) else { return };
        let Member { ref address, online, .. } = self.members[index];
        let address = address.clone();
        if !online && let Some(twin) = self.index(twin) {
            // The operator meant the server, not one of its names.
            self.members[twin].online = false;
        }
        self.hand_over_aliases(slot, twin);
        self.retire(slot, out);
        if self.members.iter().all(|member| member.address != address) {
            self.note_alias(address, twin, report, now);
        }
    }

    /// Drops the member of `slot` because that of `teller` says that it left the cluster: while
    /// the teller is there, nobody asks after it.
    pub(super) fn drop_for(
        &mut self,
        slot: Slot,
        teller: Slot,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(index) = self.index(slot) else { return };
        let address = self.members[index].address.clone();
        let is_configured = self.configured.contains(&address);
        for alias in self.aliases.iter_mut().filter(|alias| alias.of == slot) {
            (alias.of, alias.server, alias.since) = (teller, None, now);
        }
        self.retire(slot, out);
        if is_configured {
            self.aliases.retain(|alias| alias.address != address);
            self.aliases.push(Alias { address, of: teller, server: None, since: now });
        }
    }

    /// Whether `address` leads to a member that is monitored under another one.
    pub(super) fn is_alias(&self, address: &Address) -> bool {
        self.aliases.iter().any(|alias| alias.address == *address)
    }

    /// The same, found out lately.
    pub(super) fn is_fresh_alias(&self, address: &Address, now: Instant) -> bool {
        let fresh = |alias: &Alias| alias.address == *address && !is_past(Some(alias.since), now);
        self.aliases.iter().any(fresh)
    }

    /// Asks again at configured addresses when whom they led to is gone, or everybody is.
    pub(super) fn ask_configured_again(&mut self, now: Instant) {
        if self.members.iter().any(|member| member.health == Health::Online) {
            self.offline_since = None;
        } else {
            self.offline_since.get_or_insert(now);
        }
        let nobody = is_past(self.offline_since, now);
        let (stale, kept) = std::mem::take(&mut self.aliases).into_iter().partition(|alias| {
            is_past(Some(alias.since), now) && (nobody || self.is_stale(alias, now))
        });
        self.aliases = kept;
        let stale: Vec<Alias> = stale;
        for Alias { address, .. } in stale {
            let is_member = self.members.iter().any(|member| member.address == address);
            if !is_member && self.configured.contains(&address) {
                let id = InstanceId::from(address.to_string());
                self.add_member(id, address, Origin::Configured, now);
            }
        }
    }

    /// Whether the member behind an alias is gone, or another one by now.
    fn is_stale(&self, alias: &Alias, now: Instant) -> bool {
        let Some(index) = self.index(alias.of) else { return true };
        let member = &self.members[index];
        is_past(member.lost_since, now) || is_another(member, alias)
    }

    fn hand_over_aliases(&mut self, from: Slot, to: Slot) {
        for alias in self.aliases.iter_mut().filter(|alias| alias.of == from) {
            alias.of = to;
        }
    }
}

fn is_another(member: &Member, alias: &Alias) -> bool {
    alias.server.is_some() && member.server.is_some() && alias.server != member.server
}

fn is_past(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) >= ASK_AGAIN)
}
