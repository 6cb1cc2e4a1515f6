//! Closing connections that are out of use.

use std::time::{Duration, Instant};

use super::{Idle, Store};
use crate::topology::{Health, Topology};

/// How long a connection is kept that is one more than are kept for good. A crowd that comes and
/// goes within that time opens none anew: to close what it gives back in between would make it pay
/// for a login with every wave.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Lets the driver empty stores of connections that are out of use.
pub(crate) trait Retire: Send + Sync {
    /// Calls everybody who waits for a connection: the topology is another one.
    fn call_all(&self);
    fn retire(&self, topology: &Topology, now: Instant);
}

impl<C: Send> Retire for Store<C> {
    fn call_all(&self) {
        self.lock().iter().flat_map(|shelf| &shelf.waiting).for_each(|waiter| waiter.ring());
    }

    fn retire(&self, topology: &Topology, now: Instant) {
        self.watched.abort_lost(topology);
        let mut gone = Vec::new();
        let mut shelves = self.lock();
        for shelf in shelves.iter_mut() {
            let instance = topology.instance(&shelf.instance).filter(|i| i.health != Health::Lost);
            // The first ones were given back first, and are used last.
            let mut surplus = shelf.idle.len().saturating_sub(self.max_idle);
            let keep = |idle: &Idle<C>| {
                let has_lingered = surplus > 0 && idle.since + LINGER <= now;
                surplus = surplus.saturating_sub(1);
                instance.is_some_and(|instance| idle.lease.is_current(instance))
                    && !self.is_old(idle, now)
                    && !has_lingered
            };
            let (kept, out): (Vec<_>, Vec<_>) =
                std::mem::take(&mut shelf.idle).into_iter().partition(keep);
            shelf.idle = kept;
            gone.extend(out);
        }
        shelves.retain(|shelf| !shelf.idle.is_empty() || !shelf.waiting.is_empty());
        drop(shelves);
        drop(gone);
    }
}
