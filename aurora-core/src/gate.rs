//! The way to new connections of one instance: its [`Ramp`], shared by all stores of a cluster.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_listener::Event;

use crate::error::ErrorKind;
use crate::ramp::{Admission, End, Pass, Ramp};
use crate::stats::InstanceStats;
use crate::topology::Instance;

/// Lets connects to one instance through, and rings for those that wait for another to end.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    ramp: Ramp,
    /// The first ones of the queues, at most one per store.
    blocked: Vec<Arc<Event>>,
}

/// What the gate says to who is first.
#[derive(Debug)]
pub(crate) enum Let {
    In(Permit),
    WaitUntil(Instant),
    /// The ring may come before that moment, if there is one.
    WaitForRing(Option<Instant>),
}

/// The turn to open one connection to an instance.
///
/// Say what became of it with [`Permit::opened`] or [`Permit::failed`]; dropped, it counts as
/// neither.
#[derive(Debug)]
#[must_use = "dropping it gives the turn up"]
pub struct Permit {
    stats: Arc<InstanceStats>,
    pass: Pass,
    end: End,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inside { ramp: Ramp::new(), blocked: Vec::new() }))
    }

    /// Asks to connect to `instance`, whose gate this is; `ring` is rung when asking again may
    /// help.
    pub(crate) fn admit(
        instance: &Instance,
        rate: Option<NonZeroU32>,
        now: Instant,
        ring: &Arc<Event>,
    ) -> Let {
        let stats = &instance.stats;
        let mut inside = stats.gate().lock();
        match inside.ramp.admit(rate, instance.epoch, now) {
            Admission::Now(pass) => {
                Let::In(Permit { stats: Arc::clone(stats), pass, end: End::Unknown })
            }
            Admission::At(at) => Let::WaitUntil(at),
            Admission::AfterAnother(or_at) => {
                if !inside.blocked.iter().any(|known| Arc::ptr_eq(known, ring)) {
                    inside.blocked.push(Arc::clone(ring));
                }
                Let::WaitForRing(or_at)
            }
        }
    }

    /// Whether the instance is left alone after a failed connect.
    pub(crate) fn rests(instance: &Instance, now: Instant) -> bool {
        instance.stats.gate().lock().ramp.rests(instance.epoch, now)
    }

    /// What went wrong with the last connect that failed, until connects are well again.
    pub(crate) fn last_failure(&self) -> Option<ErrorKind> {
        self.lock().ramp.last_failure()
    }

    fn end(&self, pass: Pass, end: End) {
        let mut inside = self.lock();
        inside.ramp.end(pass, end, Instant::now());
        let blocked = std::mem::take(&mut inside.blocked);
        drop(inside);
        for ring in blocked {
            ring.notify(usize::MAX);
        }
    }

    // Nothing in it can be half changed by a panic.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The connection is open.
    pub fn opened(mut self) {
        self.end = End::Opened;
    }

    /// There is no connection: others leave the instance alone for a while, and then try one at a
    /// time.
    pub fn failed(mut self, kind: ErrorKind) {
        self.end = End::Failed(kind);
        self.stats.count_failed_connect();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.stats.gate().end(self.pass, self.end);
    }
}
