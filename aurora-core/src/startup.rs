//! Is the cluster ready? And if not, what shall the user do?

use crate::engine::FailureKind;
use crate::error::{Error, ErrorKind};
use crate::route::Missing;
use crate::topology::{Health, Instance, Topology};

/// What became of connecting.
#[derive(Debug)]
pub(crate) enum Verdict {
    Failed(Error),
    Ready,
}

/// What the first answers say; `None` is "wait for more", which at the deadline ends.
pub(crate) fn verdict(topology: &Topology, at_deadline: bool) -> Option<Verdict> {
    let instances = topology.instances();
    if let Some(foreign) = instances.iter().find(|i| i.health == Health::Foreign) {
        return Some(failed(ErrorKind::WrongCluster, reason(foreign), foreign));
    }
    let online = instances.iter().any(|i| i.health == Health::Online);
    let all_spoke = instances.iter().all(has_spoken);
    if online {
        if let Some(reason) = refused_topology(topology) {
            return Some(Verdict::Failed(Error::new(ErrorKind::Privilege, reason)));
        }
        return match (topology.writer(), all_spoke || at_deadline) {
            (Some(_), true) => Some(Verdict::Ready),
            (None, true) if at_deadline => {
                Some(Verdict::Failed(missing(topology, Missing::Writer)))
            }
            (_, _) => None,
        };
    }
    (all_spoke || at_deadline).then(|| nobody(topology, at_deadline)).flatten()
}

/// An instance that has been heard of, one way or the other.
fn has_spoken(instance: &Instance) -> bool {
    instance.health != Health::Unknown || instance.failure.is_some()
}

/// The user may not see the topology: nothing will come of waiting.
fn refused_topology(topology: &Topology) -> Option<&str> {
    topology.degraded().filter(|reason| reason.contains("GRANT"))
}

/// No instance answers: why?
fn nobody(topology: &Topology, at_deadline: bool) -> Option<Verdict> {
    let failures = |kind| topology.instances().iter().find(|i| i.failure == Some(kind));
    if let Some(instance) = failures(FailureKind::Authentication) {
        let message = format!(
            "{} refused the login: {}; check user, password and database of the URL",
            instance.address,
            reason(instance)
        );
        return Some(failed(ErrorKind::Authentication, message, instance));
    }
    if let Some(instance) = failures(FailureKind::Privilege) {
        let message = format!(
            "{} denied a privilege: {}; GRANT it to the user of the URL (as in `GRANT CONNECT ON DATABASE shop TO app`)",
            instance.address,
            reason(instance)
        );
        return Some(failed(ErrorKind::Privilege, message, instance));
    }
    if let Some(instance) = failures(FailureKind::Tls) {
        let message = format!("{}: {}", instance.address, reason(instance));
        return Some(failed(ErrorKind::Tls, message, instance));
    }
    // Somebody is starting, or full: that passes.
    let passing = failures(FailureKind::NotReady)
        .or(failures(FailureKind::TooManyConnections))
        .or(failures(FailureKind::Credentials));
    if passing.is_some() && !at_deadline {
        return None;
    }
    let message = format!(
        "no instance can be reached: {}; check the hosts and ports of the URL, and the network between",
        reasons(topology)
    );
    let error = Error::new(ErrorKind::ConnectionLost, message);
    Some(Verdict::Failed(error.with_outcome(crate::error::Outcome::NotApplied)))
}

/// The error for what a statement, or a start, waited for in vain.
pub(crate) fn missing(topology: &Topology, missing: Missing) -> Error {
    match missing {
        Missing::Writer => {
            let degraded = topology.degraded().map(|why| format!("; {why}")).unwrap_or_default();
            let message = format!(
                "no writer: {}; promote one, or add the writer's address to the URL{degraded}",
                reasons(topology)
            );
            Error::new(ErrorKind::NoWriter, message)
        }
        Missing::Reader => {
            let message = format!(
                "no instance can serve the read: {}; see status(), or allow reader_fallback",
                reasons(topology)
            );
            Error::new(ErrorKind::NoReader, message)
        }
    }
}

fn reasons(topology: &Topology) -> String {
    let each = topology.instances().iter().map(|instance| {
        let Instance { id, health, role, last_error, .. } = instance;
        match last_error {
            Some(error) => format!("{id} is {health} ({role}, {error})"),
            // The deadline passed before the connect ended.
            None if *health == Health::Unknown => format!("{id} has not answered in time"),
            None => format!("{id} is {health} ({role})"),
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

fn reason(instance: &Instance) -> &str {
    instance.last_error.as_deref().unwrap_or("no reason given")
}

fn failed(kind: ErrorKind, message: impl Into<String>, instance: &Instance) -> Verdict {
    Verdict::Failed(Error::new(kind, message).on(&instance.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Role;
    use crate::topology::tests::instance;

    #[test]
    fn an_instance_that_said_nothing_is_not_called_unknown() {
        let mut silent = instance("a", Role::Unknown, None);
        silent.health = Health::Unknown;
        let mut refused = instance("b", Role::Writer, None);
        refused.health = Health::Lost;
        refused.last_error = Some("connection refused".into());
        let text = missing(&Topology::new(vec![silent, refused]), Missing::Writer).to_string();
        assert!(text.contains("a has not answered in time"), "{text}");
        assert!(text.contains("b is lost (writer, connection refused)"), "{text}");
    }
}
