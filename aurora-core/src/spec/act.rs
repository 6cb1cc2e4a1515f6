//! The actions of a story: what happens to servers, and facts that the vector itself brings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::format::{Action, Change, EpochWord};
use super::story::{Mark, Teller};
use super::units::Names;
use super::words::{complaint, failure_kind};
use crate::engine::tests::world::World;
use crate::engine::{Complaint, FailureKind, Input, ProbeFailure, Slot};
use crate::topology::Instance;

impl Teller {
    /// What happens to servers and names; nobody is told of it but who asks.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Crash(names) => self.each(names, |world, host| world.crash(host)),
            Action::HangUp(names) => self.each(names, |world, host| world.hang_up(host)),
            Action::Names(names) => self.names(names),
            Action::Promote(timelines) => timelines.iter().try_for_each(|(name, timeline)| {
                self.known(name)?;
                self.made.world.server(name).promote(*timeline);
                Ok(())
            }),
            Action::Rejoin(names) => self.each(names, |world, host| world.server(host).rejoin()),
            Action::Repeat { times, steps } => {
                let mut all = (0..*times).flat_map(|_| steps);
                all.try_for_each(|step| self.step(step))
            }
            Action::Restart(names) => self.each(names, |world, host| world.server(host).restart()),
            Action::Serve(servers) => self.made.serve(servers),
            Action::Set(changes) => {
                changes.iter().try_for_each(|(name, change)| self.set(name, change))
            }
            Action::Write(amounts) => amounts.iter().try_for_each(|(name, amount)| {
                self.known(name)?;
                let position = &mut self.made.world.server(name).position;
                *position = position.map(|position| position + amount);
                Ok(())
            }),
            fact => self.tell(fact),
        }
    }

    /// What the engine is told at once.
    fn tell(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Answer { from, asked_ago } => self.answer(from, asked_ago.0),
            Action::Complain { about, what, epoch } => {
                self.complain(about, complaint(what)?, epoch.unwrap_or(EpochWord::Current));
                Ok(())
            }
            Action::Fail { from, asked_ago, kind } => {
                self.fail(from, asked_ago.0, failure_kind(kind)?)
            }
            Action::Mark(yes) => {
                self.mark = Mark::of(&self.made.world);
                true_only("mark", *yes)
            }
            Action::MonitorDies(name) => {
                let slot = self.slot(name)?;
                let reason = "as told by the vector".to_owned();
                self.made.world.handle(Input::MonitorDied { slot, reason });
                Ok(())
            }
            Action::MonitorsDie(die) => {
                self.made.world.monitors_die = *die;
                Ok(())
            }
            Action::Online(states) => {
                states.iter().for_each(|(name, online)| self.online(name, *online));
                Ok(())
            }
            Action::ReplaceEngine(yes) => {
                self.made.world.replace_engine();
                self.replaced = true;
                true_only("replace_engine", *yes)
            }
            Action::Served(names) => {
                names.list().into_iter().try_for_each(|name| self.served(name))
            }
            Action::Want(since) if since == "mark" => {
                let required = self.mark.at;
                self.made.world.handle(Input::Wanted { required });
                Ok(())
            }
            other => Err(format!("nobody does this: {other:?}")),
        }
    }

    /// A statement that began now succeeds there.
    fn served(&self, name: &str) -> Result<(), String> {
        let now = self.made.world.now;
        let instance = self.made.world.find(name).ok_or_else(|| format!("no instance {name}"))?;
        instance.stats().start(now).succeeded(now);
        Ok(())
    }

    fn online(&mut self, name: &str, online: bool) {
        let found = self.made.world.find(name);
        let instance = found.map_or_else(|| name.into(), |instance| instance.id().clone());
        self.made.world.handle(Input::SetOnline { instance, online });
    }

    fn set(&mut self, name: &str, change: &Change) -> Result<(), String> {
        if name == "all" {
            let mut servers = self.made.world.servers.values_mut();
            return servers.try_for_each(|server| change.apply(server));
        }
        self.known(name)?;
        change.apply(self.made.world.server(name))
    }

    fn names(&mut self, names: &BTreeMap<String, Option<String>>) -> Result<(), String> {
        for (name, server) in names {
            let Some(server) = server else {
                self.made.world.dns.remove(name);
                continue;
            };
            self.known(server)?;
            let found = self.made.world.servers.keys().find(|host| *host == server);
            let host = *found.expect("it is known");
            self.made.world.dns.insert(name.clone(), host);
        }
        Ok(())
    }

    fn each(&mut self, names: &Names, mut act: impl FnMut(&mut World, &str)) -> Result<(), String> {
        for name in names.list() {
            self.known(name)?;
            act(&mut self.made.world, name);
        }
        Ok(())
    }

    /// A report that the vector itself brings, of a server as it is now.
    fn answer(&mut self, from: &str, asked_ago: Duration) -> Result<(), String> {
        let (slot, asked_at) = (self.slot(from)?, self.made.world.now - asked_ago);
        let host = self.host_of(from)?;
        let report = self.made.world.server(&host).report();
        self.made.world.handle(Input::Answered { slot, asked_at, report });
        Ok(())
    }

    fn fail(&mut self, from: &str, asked_ago: Duration, kind: FailureKind) -> Result<(), String> {
        let (slot, asked_at) = (self.slot(from)?, self.made.world.now - asked_ago);
        let failure = ProbeFailure { kind, message: "as told by the vector".into() };
        self.made.world.handle(Input::Unreachable { slot, asked_at, failure });
        Ok(())
    }

    fn complain(&mut self, about: &str, what: Complaint, epoch: EpochWord) {
        let found = self.made.world.find(about);
        let now = found.as_ref().map(Instance::epoch);
        let id = found.map_or_else(|| about.into(), |instance| instance.id().clone());
        let epoch = match epoch {
            EpochWord::Current => now,
            EpochWord::Marked => self.mark.topology.instance(&id).map(|then| then.epoch()),
            EpochWord::Next => now.map(|epoch| epoch + 1),
        };
        self.made.world.complain(id.as_str(), epoch.unwrap_or(1), what);
    }

    fn slot(&self, name: &str) -> Result<Slot, String> {
        self.made.world.find(name).ok_or_else(|| format!("no instance {name} to tell of"))?;
        Ok(self.made.world.slot(name))
    }

    fn host_of(&self, name: &str) -> Result<String, String> {
        let host = self.made.world.instance(name).address().host().to_owned();
        let found = self.made.world.dns.get(&host).map(|host| (*host).to_owned());
        found.ok_or_else(|| format!("{host} leads to no server"))
    }

    fn known(&self, name: &str) -> Result<(), String> {
        let known = self.made.world.servers.contains_key(name);
        known.then_some(()).ok_or_else(|| format!("no server {name}"))
    }
}

fn true_only(what: &str, yes: bool) -> Result<(), String> {
    yes.then_some(()).ok_or_else(|| format!("{what} is true or not there"))
}
