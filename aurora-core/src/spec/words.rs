//! The format's words for what the crate has types for.

use std::fmt::Debug;

use crate::engine::{Complaint, FailureKind};
use crate::event::Event;
use crate::topology::{Health, Instance, InstanceId, Role};

const FAILURES: [FailureKind; 10] = [
    FailureKind::Authentication,
    FailureKind::Credentials,
    FailureKind::NotReady,
    FailureKind::Other,
    FailureKind::Privilege,
    FailureKind::Refused,
    FailureKind::Reset,
    FailureKind::Silent,
    FailureKind::Tls,
    FailureKind::TooManyConnections,
];

/// `NotReady` as `not-ready`.
pub(super) fn kebab(value: impl Debug) -> String {
    let mut word = String::new();
    for letter in format!("{value:?}").chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

pub(super) fn failure_kind(word: &str) -> Result<FailureKind, String> {
    let found = FAILURES.into_iter().find(|kind| kebab(kind) == word);
    found.ok_or_else(|| format!("no kind of failure: {word}"))
}

pub(super) fn complaint(word: &str) -> Result<Complaint, String> {
    let all = [Complaint::ConnectionLost, Complaint::WrongRole];
    let found = all.into_iter().find(|complaint| kebab(complaint) == word);
    found.ok_or_else(|| format!("no complaint: {word}"))
}

/// An instance's name without the default port.
pub(super) fn short(id: &InstanceId) -> &str {
    id.as_str().strip_suffix(":5432").unwrap_or(id.as_str())
}

/// `writer online`; behind it `offline` when an operator took it out of use.
pub(super) fn state(instance: &Instance) -> String {
    let offline = if instance.is_online() { "" } else { " offline" };
    format!("{} {}{offline}", instance.role(), instance.health())
}

/// An event in one line.
pub(super) fn event(event: &Event) -> String {
    let name = |id: &Option<InstanceId>| id.as_ref().map_or("none", short).to_owned();
    match event {
        Event::HealthChanged { instance, from, to, .. } => {
            format!("{}: {from} -> {to}", short(instance))
        }
        Event::InstanceAdded { instance } => format!("{} joined", short(instance)),
        Event::InstanceRemoved { instance } => format!("{} left", short(instance)),
        Event::MonitorRestarted { instance, .. } => {
            format!("monitor of {} restarted", short(instance))
        }
        Event::Missed { count } => format!("{count} missed"),
        Event::OnlineChanged { instance, online: true } => {
            format!("{} brought online", short(instance))
        }
        Event::OnlineChanged { instance, online: false } => {
            format!("{} taken offline", short(instance))
        }
        Event::RoleChanged { instance, from, to } => {
            format!("{}: {from} -> {to}", short(instance))
        }
        Event::TopologyDegraded { .. } => "degraded".to_owned(),
        Event::TopologyRestored => "restored".to_owned(),
        Event::WriterChanged { from, to } => format!("writer: {} -> {}", name(from), name(to)),
    }
}

pub(super) fn role(word: &str) -> Result<Role, String> {
    let all = [Role::Reader, Role::Unknown, Role::Writer];
    let found = all.into_iter().find(|role| role.to_string() == word);
    found.ok_or_else(|| format!("no role: {word}"))
}

pub(super) fn health(word: &str) -> Result<Health, String> {
    let all = [
        Health::Fenced,
        Health::Foreign,
        Health::Lost,
        Health::Online,
        Health::Suspect,
        Health::Unknown,
    ];
    let found = all.into_iter().find(|health| health.to_string() == word);
    found.ok_or_else(|| format!("no health: {word}"))
}
