//! The physical connections of one cluster and one driver, kept per instance and epoch.
//!
//! Generic over the driver's connection: adapters open connections, the store keeps the idle ones
//! and refuses those that must not be used again.

mod queue;

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use self::queue::Waiter;
pub(crate) use self::queue::{Step, Ticket};
use crate::config::Config;
use crate::stats::InstanceStats;
use crate::topology::{Health, Instance, InstanceId, Role, Topology};

/// How long a connection is kept that is one more than are kept for good. A crowd that comes and
/// goes within that time opens none anew: to close what it gives back in between would make it pay
/// for a login with every wave.
const LINGER: Duration = Duration::from_secs(5);

/// Idle physical connections, the last one returned first (its caches are warm).
pub struct Store<C> {
    /// What ends the connections that are in somebody's hands, where the driver can.
    watched: Mutex<Vec<Watched>>,
    /// One shelf per instance: so few that looking through them is cheaper than hashing a name.
    shelves: Mutex<Vec<Shelf<C>>>,
    max_idle: usize,
    idle_timeout: Duration,
    max_lifetime: Option<Duration>,
}

/// A connection that can be ended from outside.
struct Watched {
    instance: InstanceId,
    epoch: u64,
    abort: Weak<Abort>,
}

/// Ends a connection under whoever waits for it; called at most once, from another thread.
type Abort = dyn Fn() + Send + Sync;

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

/// A physical connection in somebody's hands.
///
/// Dropping it closes the connection; [`Store::put`] keeps it for the next one.
///
/// It is a pointer, because it goes from hand to hand with every statement.
#[must_use = "dropping a lease closes the connection"]
pub struct Lease<C>(Box<Leased<C>>);

struct Leased<C> {
    connection: C,
    instance: InstanceId,
    role: Role,
    epoch: u64,
    breaks: u64,
    opened_at: Instant,
    open: Counted,
    /// Keeps the way to end it known to the store while the connection lives.
    abort: Option<Arc<Abort>>,
}

/// Counts a connection as open while it lives.
struct Counted(Arc<InstanceStats>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Lets the driver empty stores of connections that are out of use.
pub(crate) trait Retire: Send + Sync {
    /// Calls everybody who waits for a connection: the topology is another one.
    fn call_all(&self);
    fn retire(&self, topology: &Topology, now: Instant);
}

impl<C> Lease<C> {
    /// Wraps a connection that was opened to `instance` at `now`.
    ///
    /// `breaks` is what [`InstanceStats::breaks`] said before the connection was opened.
    pub fn new(connection: C, instance: &Instance, breaks: u64, now: Instant) -> Self {
        instance.stats.opened();
        Self(Box::new(Leased {
            connection,
            instance: instance.id.clone(),
            role: instance.role,
            epoch: instance.epoch,
            breaks,
            opened_at: now,
            open: Counted(Arc::clone(&instance.stats)),
            abort: None,
        }))
    }

    /// The instance it leads to.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.0.instance
    }

    /// The role its instance has in this epoch.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// The epoch it was opened in.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The counters of its instance.
    #[must_use]
    pub fn stats(&self) -> &Arc<InstanceStats> {
        &self.0.open.0
    }

    /// The connection, and the counters of its instance: for a statement that is counted while it
    /// runs.
    pub fn counted(&mut self) -> (&mut C, &InstanceStats) {
        let leased = &mut *self.0;
        (&mut leased.connection, &leased.open.0)
    }

    /// Notes that a statement succeeded on it which began when its instance counted that many
    /// breaks: they did not concern this connection.
    pub fn prove(&mut self, breaks: u64) {
        self.0.breaks = self.0.breaks.max(breaks);
    }

    /// Whether the connection may serve another statement outside a transaction: it leads to
    /// this instance, in this epoch, and no connection to it has broken since.
    #[must_use]
    pub fn is_current(&self, instance: &Instance) -> bool {
        self.0.instance == instance.id && self.is_current_epoch(instance.epoch)
    }

    /// Whether its instance is still in the epoch in which it was opened.
    ///
    /// Ask it of a connection that was just opened: while that went on, the instance may have been
    /// lost, or another one have become the writer.
    #[must_use]
    pub fn is_in_epoch(&self, topology: &Topology) -> bool {
        topology.instance(self.instance()).is_some_and(|instance| instance.epoch == self.epoch())
    }

    fn is_current_epoch(&self, epoch: u64) -> bool {
        self.epoch() == epoch && !self.is_in_doubt()
    }

    /// Whether another connection to its instance has broken since this one was proven.
    fn is_in_doubt(&self) -> bool {
        self.0.breaks != self.stats().breaks()
    }
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0.connection
    }
}

impl<C> DerefMut for Lease<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.0.connection
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("instance", self.instance())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

impl<C> Store<C> {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            watched: Mutex::default(),
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
        let (instance, epoch) = (lease.instance().clone(), lease.epoch());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|watched| watched.abort.strong_count() > 0);
        watched.push(Watched { instance, epoch, abort: Arc::downgrade(&abort) });
        lease.0.abort = Some(abort);
    }

    /// Ends the connections in use whose instance is lost, or not ours any more. One that only
    /// changed its role, or restarts, ends its sessions itself.
    fn abort_lost(&self, topology: &Topology) {
        let is_lost = |watched: &Watched| match topology.instance(&watched.instance) {
            Some(instance) => {
                instance.epoch != watched.epoch
                    && matches!(instance.health, Health::Lost | Health::Foreign)
            }
            None => true,
        };
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let (lost, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *watched).into_iter().partition(is_lost);
        *watched = kept;
        drop(watched);
        for abort in lost.iter().filter_map(|watched| watched.abort.upgrade()) {
            abort();
        }
    }

    /// An idle connection to `instance` that may be used, if there is one.
    pub fn take(&self, instance: &Instance, now: Instant) -> Option<Lease<C>> {
        loop {
            let idle = shelf_of(&mut self.lock(), &instance.id)?.pop()?;
            // Refused ones are closed here, where the lock is not held.
            if idle.lease.is_current(instance) && !self.is_old(&idle, now) {
                return Some(idle.lease);
            }
        }
    }

    /// Keeps a connection for the next one who needs it, or hands it to one who waits. The caller vouches that it is clean: in
    /// no transaction, with no session state changed.
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
            || self.max_lifetime.is_some_and(|limit| passed(idle.lease.0.opened_at, limit))
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

impl<C: Send> Retire for Store<C> {
    fn call_all(&self) {
        self.lock().iter().flat_map(|shelf| &shelf.waiting).for_each(|waiter| waiter.ring());
    }

    fn retire(&self, topology: &Topology, now: Instant) {
        self.abort_lost(topology);
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

impl<C> fmt::Debug for Store<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shelves = self.lock();
        let counts = shelves.iter().map(|shelf| (&shelf.instance, shelf.idle.len()));
        f.debug_map().entries(counts).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::instance;

    fn store() -> Store<&'static str> {
        Store::new(&Config::from_url("postgres://app@a/db?max_idle_per_instance=2").unwrap())
    }

    #[test]
    fn the_last_one_returned_is_taken_first_and_the_surplus_closed_after_a_while() {
        let (store, now) = (store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        let topology = Topology::new(vec![a.clone()]);
        for name in ["one", "two", "three"] {
            store.put(Lease::new(name, &a, 0, now), now);
        }
        store.retire(&topology, now + LINGER - Duration::from_millis(1));
        assert_eq!(a.stats().connections(), 3, "the next wave may come at once");
        store.retire(&topology, now + LINGER);
        assert_eq!(a.stats().connections(), 2);
        let lease = store.take(&a, now).unwrap();
        assert_eq!((*lease, store.idle(a.id())), ("three", 1));
        drop(lease);
        assert_eq!(store.take(&a, now).as_deref(), Some(&"two"));
        assert_eq!((a.stats().connections(), a.stats().connects()), (0, 3));
    }

    #[test]
    fn a_crowd_that_comes_and_goes_opens_its_connections_once() {
        let (store, mut now) = (store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        let topology = Topology::new(vec![a.clone()]);
        for _ in 0..20 {
            let take = |_| store.take(&a, now).unwrap_or_else(|| Lease::new("new", &a, 0, now));
            let crowd: Vec<_> = (0..64).map(take).collect();
            crowd.into_iter().for_each(|lease| store.put(lease, now));
            now += LINGER / 2;
            store.retire(&topology, now);
        }
        assert_eq!((a.stats().connects(), store.idle(a.id())), (64, 64));
        store.retire(&topology, now + LINGER);
        assert_eq!(store.idle(a.id()), 2);
    }

    #[test]
    fn where_none_is_to_be_kept_each_is_closed_at_once() {
        let config = Config::from_url("postgres://app@a/db?max_idle_per_instance=0").unwrap();
        let (store, now) = (Store::new(&config), Instant::now());
        let a = instance("a", Role::Reader, None);
        store.put(Lease::new("one", &a, 0, now), now);
        assert_eq!((a.stats().connections(), store.idle(a.id())), (0, 0));
    }

    #[test]
    fn a_connection_of_an_old_epoch_is_never_handed_out() {
        let (store, now) = (store(), Instant::now());
        let mut a = instance("a", Role::Reader, None);
        store.put(Lease::new("old", &a, 0, now), now);
        a.epoch += 1;
        assert!(store.take(&a, now).is_none());
        assert_eq!(a.stats().connections(), 0);
    }

    #[test]
    fn a_connection_that_was_overtaken_by_a_failover_is_known_by_its_epoch() {
        let mut a = instance("a", Role::Writer, None);
        let lease = Lease::new("just opened", &a, 0, Instant::now());
        assert!(lease.is_in_epoch(&Topology::new(vec![a.clone()])));
        a.epoch += 1;
        a.role = Role::Unknown;
        assert!(!lease.is_in_epoch(&Topology::new(vec![a])));
        assert!(!lease.is_in_epoch(&Topology::new(Vec::new())));
    }

    #[test]
    fn when_one_connection_broke_the_idle_ones_are_in_doubt() {
        let (store, now) = (store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        let held = Lease::new("held", &a, a.stats().breaks(), now);
        store.put(Lease::new("idle", &a, a.stats().breaks(), now), now);
        a.stats().broke();
        assert!(store.take(&a, now).is_none());
        store.put(held, now);
        assert_eq!(store.idle(a.id()), 0);
    }

    #[test]
    fn statements_on_a_lost_instance_are_ended_and_no_others() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        let (store, now) = (store(), Instant::now());
        let (mut a, b) = (instance("a", Role::Writer, None), instance("b", Role::Reader, None));
        let ended = Arc::new(AtomicU32::new(0));
        let watch = |instance: &Instance| {
            let mut lease = Lease::new("held", instance, 0, now);
            let ended = Arc::clone(&ended);
            store.watch(&mut lease, move || _ = ended.fetch_add(1, Relaxed));
            lease
        };
        let (_on_a, _on_b) = (watch(&a), watch(&b));
        drop(watch(&a));
        a.epoch += 1;
        a.role = Role::Reader;
        store.retire(&Topology::new(vec![a.clone(), b.clone()]), now);
        assert_eq!(ended.load(Relaxed), 0, "a demoted instance still answers");
        a.health = Health::Lost;
        for _ in 0..2 {
            store.retire(&Topology::new(vec![a.clone(), b.clone()]), now);
        }
        assert_eq!(ended.load(Relaxed), 1);
    }

    #[test]
    fn a_connection_that_has_served_since_is_in_no_doubt() {
        let (store, now) = (store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        let mut lease = Lease::new("used", &a, a.stats().breaks(), now);
        a.stats().broke();
        let began = a.stats().breaks();
        lease.prove(began);
        assert!(lease.is_current(&a));
        a.stats().broke();
        lease.prove(began);
        assert!(!lease.is_current(&a), "that one came after the statement had begun");
        store.put(lease, now);
        assert_eq!(store.idle(a.id()), 0);
    }

    #[test]
    fn old_connections_are_not_used_and_are_swept_out() {
        let (store, now) = (store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        store.put(Lease::new("idle", &a, 0, now), now);
        let later = now + Duration::from_secs(3600);
        store.retire(&Topology::new(vec![a.clone()]), now);
        assert_eq!(store.idle(a.id()), 1);
        store.retire(&Topology::new(vec![a.clone()]), later);
        assert_eq!(store.idle(a.id()), 0);
        store.put(Lease::new("idle", &a, 0, now), now);
        assert!(store.take(&a, later).is_none());
    }
}
