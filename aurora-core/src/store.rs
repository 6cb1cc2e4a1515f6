//! The physical connections of one cluster and one driver, kept per instance and epoch.
//!
//! Generic over the driver's connection: adapters open connections, the store keeps the idle ones
//! and refuses those that must not be used again.

mod lease;
mod queue;
mod retire;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use self::lease::Lease;
use self::queue::Waiter;
pub(crate) use self::queue::{Step, Ticket};
pub(crate) use self::retire::Retire;
use self::watch::{Abort, WatchList};
use crate::cluster::Deadline;
use crate::config::Config;
use crate::topology::{Instance, InstanceId};

/// Idle physical connections, the last one returned first (its caches are warm).
pub struct Store<C> {
    /// What ends the connections that are in somebody's hands, where the driver can.
    watched: WatchList,
    /// One shelf per instance: so few that looking through them is cheaper than hashing a name.
    shelves: Mutex<Vec<Shelf<C>>>,
    max_idle: usize,
    idle_timeout: Duration,
    max_lifetime: Option<Duration>,
}

struct Shelf<C> {
    instance: InstanceId,
    idle: Vec<Idle<C>>,
    /// While there is one, a connection given back goes to it.
    waiting: VecDeque<Arc<Waiter<C>>>,
}

struct Idle<C> {
    lease: Lease<C>,
    since: Instant,
}

/// From this pause on a connection is asked whether it has ended: that takes a call of the operating
/// system, which statements that follow one another are spared.
const PAUSE: Duration = Duration::from_millis(100);

impl<C> Idle<C> {
    /// Whether its server, or who comes in between, has ended it while it was idle. What is sent on
    /// it then arrives nowhere, but of a write that would not be known.
    fn has_ended(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= PAUSE && self.lease.has_ended()
    }
}

impl<C> Store<C> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            watched: WatchList::default(),
            shelves: Mutex::default(),
            max_idle: config.max_idle_per_instance(),
            idle_timeout: config.idle_timeout(),
            max_lifetime: config.max_lifetime(),
        }
    }

    /// Has `abort` called when the instance of `lease` is declared lost while somebody waits for
    /// an answer on the connection: it should fail the statement at once.
    pub fn watch(&self, lease: &mut Lease<C>, abort: impl Fn() + Send + Sync + 'static) {
        let abort: Arc<Abort> = Arc::new(abort);
        self.watched.add(lease.instance().clone(), lease.epoch(), &abort);
        lease.keep(abort);
    }

    /// An idle connection to `instance` that may be used for the statement, if there is one.
    pub fn take(&self, instance: &Instance, deadline: Deadline) -> Option<Lease<C>> {
        if deadline.takes_idle() { self.take_at(instance, deadline.began()) } else { None }
    }

    pub(crate) fn take_at(&self, instance: &Instance, now: Instant) -> Option<Lease<C>> {
        loop {
            let idle = shelf_of(&mut self.lock(), &instance.id)?.pop()?;
            // Refused ones are closed here, where the lock is not held.
            if idle.lease.is_current(instance) && !self.is_old(&idle, now) && !idle.has_ended(now) {
                return Some(idle.lease);
            }
        }
    }

    /// Keeps a connection for the next one who needs it, or hands it to one who waits. The caller
    /// vouches that it is clean: in no transaction, with no session state changed.
    pub fn put(&self, lease: Lease<C>, now: Instant) {
        if lease.is_in_doubt() {
            return;
        }
        let mut shelves = self.lock();
        let shelf = shelf_for(&mut shelves, lease.instance());
        let surplus = match shelf.hand_over(lease) {
            Some(lease) if self.max_idle > 0 => {
                shelf.idle.push(Idle { lease, since: now });
                None
            }
            surplus => surplus,
        };
        // Closed where the lock is not held.
        drop(shelves);
        drop(surplus);
    }

    /// How many connections to `instance` are idle.
    #[must_use]
    pub fn idle(&self, instance: &InstanceId) -> usize {
        shelf_of(&mut self.lock(), instance).map_or(0, |idle| idle.len())
    }

    fn is_old(&self, idle: &Idle<C>, now: Instant) -> bool {
        let passed = |since: Instant, limit| since.checked_add(limit).is_some_and(|at| at <= now);
        passed(idle.since, self.idle_timeout)
            || self.max_lifetime.is_some_and(|limit| passed(idle.lease.opened_at(), limit))
    }

    // A panic while the lock is held (allocation) leaves shelves that are still shelves.
    fn lock(&self) -> MutexGuard<'_, Vec<Shelf<C>>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shelf_of<'a, C>(shelves: &'a mut [Shelf<C>], id: &InstanceId) -> Option<&'a mut Vec<Idle<C>>> {
    shelves.iter_mut().find(|shelf| shelf.instance == *id).map(|shelf| &mut shelf.idle)
}

/// The shelf of the instance, made if there is none.
fn shelf_for<'a, C>(shelves: &'a mut Vec<Shelf<C>>, id: &InstanceId) -> &'a mut Shelf<C> {
    let known = shelves.iter().position(|shelf| shelf.instance == *id);
    let place = known.unwrap_or_else(|| {
        let (idle, waiting) = (Vec::new(), VecDeque::new());
        shelves.push(Shelf { instance: id.clone(), idle, waiting });
        shelves.len() - 1
    });
    &mut shelves[place]
}

impl<C> fmt::Debug for Store<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shelves = self.lock();
        let counts = shelves.iter().map(|shelf| (&shelf.instance, shelf.idle.len()));
        f.debug_map().entries(counts).finish()
    }
}

#[cfg(test)]
mod tests;
