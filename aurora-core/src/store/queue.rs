//! Who waits for a connection to an instance, first come, first served.
//!
//! The first one of a queue asks the instance's gate for its turn to open a connection. A
//! connection that somebody gives back is handed to the first one at once. Nothing is reserved
//! for those behind, so that one who gives up leaves nothing but its place.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_listener::{Event, EventListener};

use super::{Lease, Shelf, Store};
use crate::gate::{Gate, Let, Permit};
use crate::topology::Instance;

/// One who waits.
pub(super) struct Waiter<C> {
    epoch: u64,
    ring: Arc<Event>,
    lot: Mutex<Lot<C>>,
}

/// What becomes of one who waits.
enum Lot<C> {
    Waits,
    /// Was handed a connection that somebody gave back.
    Given(Lease<C>),
    /// Opens one, and is handed none: there would be one more than anybody wants.
    Opens,
}

impl<C> Waiter<C> {
    fn lot(&self) -> MutexGuard<'_, Lot<C>> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands it the connection, if it is of its epoch and it waits for one still.
    fn give(&self, lease: &mut Option<Lease<C>>) -> bool {
        let mut lot = self.lot();
        let given =
            lease.take_if(|lease| lease.epoch() == self.epoch && matches!(*lot, Lot::Waits));
        given.is_some_and(|lease| {
            *lot = Lot::Given(lease);
            true
        })
    }

    /// Takes what it was given, and is `next` from then on.
    fn take_given(&self, next: Lot<C>) -> Option<Lease<C>> {
        let mut lot = self.lot();
        match std::mem::replace(&mut *lot, next) {
            Lot::Given(lease) => Some(lease),
            Lot::Waits | Lot::Opens => None,
        }
    }

    pub(super) fn ring(&self) {
        self.ring.notify(usize::MAX);
    }
}

impl<C> Shelf<C> {
    /// Hands the connection to the first one who waits for one of its epoch; returns it if there
    /// is none.
    pub(super) fn hand_over(&mut self, lease: Lease<C>) -> Option<Lease<C>> {
        if self.waiting.is_empty() {
            return Some(lease);
        }
        let mut lease = Some(lease);
        let place = self.waiting.iter().position(|waiter| waiter.give(&mut lease));
        if let Some(waiter) = place.and_then(|place| self.waiting.remove(place)) {
            waiter.ring();
        }
        if place == Some(0) {
            self.call_first();
        }
        lease
    }

    fn call_first(&self) {
        if let Some(first) = self.waiting.front() {
            first.ring();
        }
    }
}

/// A place in the queue; dropping it leaves the queue.
pub(crate) struct Ticket<'a, C> {
    store: &'a Store<C>,
    instance: &'a Instance,
    waiter: Arc<Waiter<C>>,
}

/// What one who waits finds.
pub(crate) enum Step<C> {
    /// A connection that somebody gave back.
    Leased(Lease<C>),
    /// It is its turn to open one.
    Open(Permit),
    /// Nothing before the ring, or that moment.
    Wait(Option<Instant>),
}

impl<'a, C> Ticket<'a, C> {
    /// Goes to the end of the queue. `now` is none where no idle connection will do.
    pub(crate) fn take(store: &'a Store<C>, instance: &'a Instance, now: Option<Instant>) -> Self {
        let (epoch, ring) = (instance.epoch, Arc::default());
        let waiter = Arc::new(Waiter { epoch, ring, lot: Mutex::new(Lot::Waits) });
        let mut shelves = store.lock();
        super::shelf_for(&mut shelves, &instance.id).waiting.push_back(Arc::clone(&waiter));
        drop(shelves);
        // Given back after the caller had looked, and before this one waited.
        if let Some(now) = now
            && let Some(idle) = store.take_at(instance, now)
        {
            store.put(idle, now);
        }
        Self { store, instance, waiter }
    }

    /// What to wait for, made before [`Ticket::step`] looks.
    pub(crate) fn listen(&self) -> EventListener {
        self.waiter.ring.listen()
    }

    /// Looks whether there is something at `now`.
    pub(crate) fn step(&self, rate: Option<NonZeroU32>, now: Instant) -> Step<C> {
        if let Some(lease) = self.waiter.take_given(Lot::Waits) {
            return Step::Leased(lease);
        }
        if !self.is_first() {
            return Step::Wait(None);
        }
        match Gate::admit(self.instance, rate, now, &self.waiter.ring) {
            // Somebody may have given it a connection since: then the turn is the next one's.
            Let::In(permit) => {
                let given = self.waiter.take_given(Lot::Opens);
                given.map_or_else(|| Step::Open(permit), Step::Leased)
            }
            Let::WaitUntil(at) => Step::Wait(Some(at)),
            Let::WaitForRing(or_at) => Step::Wait(or_at),
        }
    }

    fn is_first(&self) -> bool {
        let mut shelves = self.store.lock();
        let first = super::shelf_for(&mut shelves, &self.instance.id).waiting.front();
        first.is_some_and(|first| Arc::ptr_eq(first, &self.waiter))
    }
}

impl<C> Drop for Ticket<'_, C> {
    fn drop(&mut self) {
        let mut shelves = self.store.lock();
        let shelf = super::shelf_for(&mut shelves, &self.instance.id);
        if let Some(place) = shelf.waiting.iter().position(|w| Arc::ptr_eq(w, &self.waiter)) {
            let _ = shelf.waiting.remove(place);
            if place == 0 {
                shelf.call_first();
            }
        }
        drop(shelves);
        // Nobody hands it anything from here on; what it has not taken goes to the next one.
        if let Some(lease) = self.waiter.take_given(Lot::Waits) {
            self.store.put(lease, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event_listener::Listener as _;

    use super::*;
    use crate::config::Config;
    use crate::error::ErrorKind;
    use crate::topology::{Role, tests::instance};

    fn store() -> Store<&'static str> {
        Store::new(&Config::from_url("postgres://app@a/db").unwrap())
    }

    fn leased(step: Step<&'static str>) -> Option<&'static str> {
        match step {
            Step::Leased(lease) => Some(*lease),
            Step::Open(_) | Step::Wait(_) => None,
        }
    }

    const RATE: Option<NonZeroU32> = NonZeroU32::new(1);

    #[test]
    fn a_connection_given_back_goes_to_the_first_one_who_waits() {
        let (store, now, a) = (store(), Instant::now(), instance("a", Role::Reader, None));
        let [one, two] = [(); 2].map(|()| Ticket::take(&store, &a, Some(now)));
        let heard = one.listen();
        store.put(Lease::new("back", &a, 0, now), now);
        assert_eq!((store.idle(a.id()), leased(two.step(RATE, now))), (0, None));
        assert!(heard.wait_deadline(now + Duration::from_secs(9)).is_some());
        assert_eq!(leased(one.step(RATE, now)), Some("back"));
    }

    #[test]
    fn one_whom_no_idle_connection_will_do_gets_a_new_one_or_one_just_used() {
        let (store, now, a) = (store(), Instant::now(), instance("a", Role::Reader, None));
        store.put(Lease::new("idle", &a, 0, now), now);
        let [one, two] = [(); 2].map(|()| Ticket::take(&store, &a, None));
        let Step::Open(permit) = one.step(RATE, now) else { panic!("nobody connects") };
        permit.opened();
        store.put(Lease::new("back", &a, 0, now), now);
        assert_eq!(leased(two.step(RATE, now)), Some("back"), "the first one opens its own");
        drop((one, two));
        let another = Ticket::take(&store, &a, Some(now));
        assert_eq!(leased(another.step(RATE, now)), Some("idle"));
    }

    #[test]
    fn one_who_gives_up_passes_on_its_connection_and_its_place() {
        let (store, now, a) = (store(), Instant::now(), instance("a", Role::Reader, None));
        let [one, two, three] = [(); 3].map(|()| Ticket::take(&store, &a, Some(now)));
        store.put(Lease::new("back", &a, 0, now), now);
        drop(one);
        assert_eq!(leased(two.step(RATE, now)), Some("back"));
        drop(two);
        assert!(matches!(three.step(RATE, now), Step::Open(_)), "now it is the first");
        drop(three);
        store.put(Lease::new("idle", &a, 0, now), now);
        assert_eq!(store.idle(a.id()), 1, "nobody waits");
    }

    #[test]
    fn only_the_first_one_opens_and_the_next_is_called_when_it_goes() {
        let (store, now, a) = (store(), Instant::now(), instance("a", Role::Reader, None));
        let [one, two] = [(); 2].map(|()| Ticket::take(&store, &a, Some(now)));
        assert!(matches!(two.step(RATE, now), Step::Wait(None)));
        let Step::Open(permit) = one.step(RATE, now) else { panic!("nobody connects") };
        permit.opened();
        let heard = two.listen();
        drop(one);
        assert!(heard.wait_deadline(now + Duration::from_secs(9)).is_some());
        let Step::Wait(Some(at)) = two.step(RATE, now) else { panic!("one a second") };
        assert!(matches!(two.step(RATE, at), Step::Open(_)));
    }

    #[test]
    fn all_stores_share_the_gate_of_an_instance() {
        let (left, right, now) = (store(), store(), Instant::now());
        let a = instance("a", Role::Reader, None);
        let [one, two] = [&left, &right].map(|store| Ticket::take(store, &a, Some(now)));
        let many = NonZeroU32::new(1000);
        let open = |ticket: &Ticket<'_, &'static str>, now| match ticket.step(many, now) {
            Step::Open(permit) => Some(permit),
            Step::Leased(_) | Step::Wait(_) => None,
        };
        let mut permits: Vec<_> = open(&one, now).into_iter().collect();
        let Step::Wait(Some(later)) = two.step(many, now) else { panic!("one is the first") };
        permits.extend((0..20).filter_map(|_| open(&one, later)));
        assert_eq!(permits.len(), crate::ramp::AT_ONCE as usize);
        let heard = two.listen();
        assert!(open(&two, later).is_none());
        for permit in permits {
            permit.failed(ErrorKind::ConnectionLost);
        }
        assert!(heard.wait_deadline(now + Duration::from_secs(9)).is_some());
        assert!(matches!(two.step(many, now), Step::Wait(Some(at)) if at > now), "it rests");
        assert!(Gate::rests(&a, now));
    }

    #[test]
    fn a_connection_of_another_epoch_is_given_to_nobody() {
        let (store, now) = (store(), Instant::now());
        let old = instance("a", Role::Reader, None);
        let mut new = old.clone();
        new.epoch += 1;
        let ticket = Ticket::take(&store, &new, Some(now));
        store.put(Lease::new("old", &old, 0, now), now);
        assert_eq!(leased(ticket.step(RATE, now)), None);
    }

    /// A pool with places for two never has three connections, however they come and go.
    #[test]
    fn one_who_is_given_a_connection_opens_none() {
        const PLACES: u64 = 2;
        let (store, now, a) = (store(), Instant::now(), instance("a", Role::Reader, None));
        let places = Mutex::new(PLACES);
        let enter = || {
            let mut free = places.lock().unwrap();
            *free > 0 && {
                *free -= 1;
                true
            }
        };
        let connection = || {
            if let Some(idle) = store.take_at(&a, now) {
                return idle;
            }
            let ticket = Ticket::take(&store, &a, Some(now));
            loop {
                match ticket.step(None, now) {
                    Step::Leased(lease) => return lease,
                    Step::Open(permit) => {
                        drop(ticket);
                        permit.opened();
                        return Lease::new("new", &a, 0, now);
                    }
                    Step::Wait(_) => std::thread::yield_now(),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..5000 {
                        while !enter() {
                            std::thread::yield_now();
                        }
                        let lease = connection();
                        let open = a.stats().connections();
                        assert!(open <= PLACES, "{open} connections");
                        // Some are closed, so that others are to be opened.
                        if round % 3 == 0 {
                            drop(lease)
                        } else {
                            store.put(lease, now)
                        }
                        *places.lock().unwrap() += 1;
                    }
                });
            }
        });
    }
}
