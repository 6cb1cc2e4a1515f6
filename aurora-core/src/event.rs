//! What happened to the cluster, and how to listen to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Listener as _;
use serde::Serialize;

use crate::topology::{Health, InstanceId, Role};

/// Something that happened to the cluster.
///
/// Events of topology are derived from the difference of two snapshots, so none is missed or
/// told twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// An instance's health changed.
    HealthChanged {
        /// The instance.
        instance: InstanceId,
        /// Before.
        from: Health,
        /// After.
        to: Health,
        /// What was seen, where something was.
        reason: Option<String>,
    },
    /// An instance joined the cluster.
    InstanceAdded {
        /// The instance.
        instance: InstanceId,
    },
    /// An instance left the cluster.
    InstanceRemoved {
        /// The instance.
        instance: InstanceId,
    },
    /// The task that monitors an instance died and was started again.
    MonitorRestarted {
        /// The instance.
        instance: InstanceId,
        /// Why it died.
        reason: String,
    },
    /// The listener was too slow, and this many events are gone.
    Missed {
        /// How many.
        count: u64,
    },
    /// An operator took an instance out of use, or brought it back.
    OnlineChanged {
        /// The instance.
        instance: InstanceId,
        /// Whether it is in use now.
        online: bool,
    },
    /// An instance's role changed.
    RoleChanged {
        /// The instance.
        instance: InstanceId,
        /// Before.
        from: Role,
        /// After.
        to: Role,
    },
    /// The servers give no good answer about the members; what was known is kept.
    TopologyDegraded {
        /// What is wrong with the answer, and the remedy.
        reason: String,
    },
    /// The servers give good answers again.
    TopologyRestored,
    /// Another instance takes the writes, or none does.
    WriterChanged {
        /// Before.
        from: Option<InstanceId>,
        /// After.
        to: Option<InstanceId>,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &Option<InstanceId>| {
            id.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        match self {
            Self::HealthChanged { instance, from, to, reason } => {
                write!(f, "{instance}: {from} -> {to}")?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
            }
            Self::InstanceAdded { instance } => write!(f, "{instance} joined"),
            Self::InstanceRemoved { instance } => write!(f, "{instance} left"),
            Self::MonitorRestarted { instance, reason } => {
                write!(f, "monitor of {instance} restarted ({reason})")
            }
            Self::Missed { count } => write!(f, "{count} events missed"),
            Self::OnlineChanged { instance, online: true } => {
                write!(f, "{instance} brought online by an operator")
            }
            Self::OnlineChanged { instance, online: false } => {
                write!(f, "{instance} taken offline by an operator")
            }
            Self::RoleChanged { instance, from, to } => {
                write!(f, "{instance}: {from} -> {to}")
            }
            Self::TopologyDegraded { reason } => write!(f, "topology degraded: {reason}"),
            Self::TopologyRestored => f.write_str("topology complete again"),
            Self::WriterChanged { from, to } => {
                write!(f, "writer: {} -> {}", name(from), name(to))
            }
        }
    }
}

/// How many events a slow listener may be behind before it misses some.
const KEPT: usize = 1024;

/// Where events are announced; one per cluster.
#[derive(Default)]
pub(crate) struct EventHub {
    log: Mutex<Log>,
    announced: event_listener::Event,
}

#[derive(Default)]
struct Log {
    first: u64,
    kept: VecDeque<Event>,
    closed: bool,
}

impl EventHub {
    pub(crate) fn announce(&self, event: Event) {
        let mut log = self.lock();
        if log.kept.len() == KEPT {
            log.kept.pop_front();
            log.first += 1;
        }
        log.kept.push_back(event);
        drop(log);
        self.announced.notify(usize::MAX);
    }

    /// Wakes every listener for good.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.announced.notify(usize::MAX);
    }

    pub(crate) fn subscribe(self: &Arc<Self>) -> Events {
        let log = self.lock();
        let next = log.first + log.kept.len() as u64;
        drop(log);
        Events { hub: Arc::clone(self), next }
    }

    // A panic while the lock is held cannot leave the log half changed.
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener of [`Event`]s, from the moment it was made.
pub struct Events {
    hub: Arc<EventHub>,
    next: u64,
}

/// What a look into the log found.
enum Found {
    Event(Event),
    Nothing,
    Closed,
}

impl Events {
    fn look(&mut self) -> Found {
        let log = self.hub.lock();
        if self.next < log.first {
            let count = log.first - self.next;
            self.next = log.first;
            return Found::Event(Event::Missed { count });
        }
        let index = usize::try_from(self.next - log.first).unwrap_or(usize::MAX);
        match log.kept.get(index) {
            Some(event) => {
                self.next += 1;
                Found::Event(event.clone())
            }
            None if log.closed => Found::Closed,
            None => Found::Nothing,
        }
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.look() {
            Found::Event(event) => Some(event),
            Found::Nothing | Found::Closed => None,
        }
    }

    /// The next event, waiting for it on this thread for at most `timeout`.
    ///
    /// `None` means that the time passed or the cluster was closed.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        loop {
            // Listen first and look then, so that nothing announced in between is slept through.
            let listener = self.hub.announced.listen();
            match self.look() {
                Found::Event(event) => return Some(event),
                Found::Closed => return None,
                Found::Nothing => listener.wait_deadline(deadline)?,
            }
        }
    }

    /// The next event; `None` once the cluster is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call returns the same event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let listener = self.hub.announced.listen();
            match self.look() {
                Found::Event(event) => return Some(event),
                Found::Closed => return None,
                Found::Nothing => listener.await,
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_hears_what_happens_after_it_was_made() {
        let hub = Arc::new(EventHub::default());
        hub.announce(Event::TopologyRestored);
        let mut events = hub.subscribe();
        assert_eq!(events.try_next(), None);
        let added = Event::InstanceAdded { instance: "a".into() };
        hub.announce(added.clone());
        assert_eq!(events.next_timeout(Duration::from_secs(5)), Some(added));
        hub.close();
        assert_eq!(events.next_timeout(Duration::from_secs(5)), None);
    }

    #[test]
    fn a_slow_listener_is_told_how_much_it_missed() {
        let hub = Arc::new(EventHub::default());
        let mut events = hub.subscribe();
        for _ in 0..KEPT + 3 {
            hub.announce(Event::TopologyRestored);
        }
        assert_eq!(events.try_next(), Some(Event::Missed { count: 3 }));
        assert_eq!(events.try_next(), Some(Event::TopologyRestored));
    }
}
