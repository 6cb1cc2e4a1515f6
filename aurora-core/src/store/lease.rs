//! A physical connection in somebody's hands, and what tells whether it may be used again.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::watch::Abort;
use crate::stats::InstanceStats;
use crate::topology::{Instance, InstanceId, Role, Topology};

/// A physical connection in somebody's hands.
///
/// Dropping it closes the connection; [`Store::put`](super::Store::put) keeps it for the next one.
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
    has_ended: Option<Box<HasEnded>>,
}

/// Whether the server has ended a connection that nobody uses.
type HasEnded = dyn Fn() -> bool + Send + Sync;

/// Counts a connection as open while it lives.
struct Counted(Arc<InstanceStats>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed();
    }
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
            has_ended: None,
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
    pub(super) fn is_in_doubt(&self) -> bool {
        self.0.breaks != self.stats().breaks()
    }

    pub(super) fn opened_at(&self) -> Instant {
        self.0.opened_at
    }

    /// Has the store ask `has_ended` before it hands the connection out again after a pause: whether
    /// the server has ended it meanwhile. It must not wait for anything.
    pub fn ended_when(&mut self, has_ended: impl Fn() -> bool + Send + Sync + 'static) {
        self.0.has_ended = Some(Box::new(has_ended));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.has_ended.as_ref().is_some_and(|has_ended| has_ended())
    }

    /// Keeps the way to end the connection while it lives.
    pub(super) fn keep(&mut self, abort: Arc<Abort>) {
        self.0.abort = Some(abort);
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
