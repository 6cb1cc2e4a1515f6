//! A physical connection in use: it goes back when it is clean, and is closed otherwise.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Place;
use aurora_core::{Lease, Role, Store};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::engine::Link;
use crate::pools::Physical;

/// What a connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Clean,
    /// A statement whose future was dropped if nobody waits for it.
    Busy,
    /// Rows that nobody wants any more; the next statement reads past them.
    Draining,
    /// Something others must not inherit.
    Dirty,
}

/// A connection of the pools, with its place in them.
pub(crate) struct Held {
    lease: Option<Lease<Physical>>,
    store: Arc<Store<Physical>>,
    condition: Condition,
    /// After `lease`: whoever waits finds the connection idle.
    _permit: OwnedSemaphorePermit,
}

impl Held {
    pub(crate) fn new(
        lease: Lease<Physical>,
        permit: OwnedSemaphorePermit,
        store: Arc<Store<Physical>>,
    ) -> Self {
        Self { lease: Some(lease), store, condition: Condition::Clean, _permit: permit }
    }

    pub(crate) fn condition(&self) -> Condition {
        self.condition
    }

    pub(crate) fn set(&mut self, condition: Condition) {
        self.condition = condition;
    }

    pub(crate) fn lease(&self) -> &Lease<Physical> {
        self.lease.as_ref().expect("taken only when dropped")
    }

    /// The connection, and what it is in the middle of.
    pub(crate) fn parts(&mut self) -> (&mut Link, &mut Condition) {
        let lease = self.lease.as_mut().expect("taken only when dropped");
        (&mut lease.link, &mut self.condition)
    }

    pub(crate) fn link(&self) -> &Link {
        &self.lease().link
    }

    /// Rings when the instance was declared lost.
    pub(crate) fn lost(&self) -> Arc<Notify> {
        Arc::clone(&self.lease().lost)
    }

    pub(crate) fn place(&self) -> Place {
        let lease = self.lease();
        Place { instance: lease.instance().clone(), epoch: lease.epoch(), role: lease.role() }
    }

    pub(crate) fn role(&self) -> Role {
        self.lease().role()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.condition == Condition::Clean
        {
            self.store.put(lease, Instant::now());
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lease", &self.lease)
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}
