//! Waiting for one's turn to open a connection.

use std::num::NonZeroU32;
use std::time::Instant;

use event_listener::Listener as _;

use super::adapter::is_gone;
use super::{Cluster, Deadline};
use crate::error::{Error, ErrorKind};
use crate::gate::{Gate, Permit};
use crate::route::{Need, readers};
use crate::store::{Lease, Step, Store, Ticket};
use crate::topology::{Instance, Topology};

/// What one who has no connection gets.
#[derive(Debug)]
#[must_use = "dropping it closes the connection, or gives the turn up"]
#[non_exhaustive]
pub enum Turn<C> {
    /// The instance is not the one to wait for any more: pick anew.
    Again,
    /// A connection that somebody gave back.
    Leased(Lease<C>),
    /// It is the caller's turn to open one.
    Open(Permit),
}

/// How waiting goes on.
enum Look<C> {
    Done(Result<Turn<C>, Error>),
    Wait(Instant),
}

/// When an idle connection has to be one that may be used, if one will do.
fn idle_as_of(deadline: Deadline) -> Option<Instant> {
    deadline.takes_idle().then(Instant::now)
}

impl Cluster {
    /// Waits for the turn to open a connection to `instance`, or for one that is given back to
    /// `store`, until `deadline`. Asked by those who found no idle one.
    ///
    /// Connections to an instance are opened at `connect_rate` at most, whichever store they are
    /// for, and after a failed one by one at a time.
    ///
    /// # Errors
    ///
    /// On `instance`: [`ErrorKind::TooManyConnections`] or [`ErrorKind::Deadline`] at the
    /// deadline, [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: who is dropped leaves the queue, and nothing is kept for it.
    pub async fn turn<C>(
        &self,
        store: &Store<C>,
        instance: &Instance,
        need: Need,
        deadline: Deadline,
    ) -> Result<Turn<C>, Error> {
        let ticket = Ticket::take(store, instance, idle_as_of(deadline));
        self.come(ticket, instance, need, deadline.to_queue(self.config())).await
    }

    /// The same, for those who have no statement's deadline.
    pub(super) async fn turn_until<C>(
        &self,
        store: &Store<C>,
        instance: &Instance,
        need: Need,
        until: Instant,
    ) -> Result<Turn<C>, Error> {
        let ticket = Ticket::take(store, instance, Some(Instant::now()));
        self.come(ticket, instance, need, until).await
    }

    async fn come<C>(
        &self,
        ticket: Ticket<'_, C>,
        instance: &Instance,
        need: Need,
        until: Instant,
    ) -> Result<Turn<C>, Error> {
        loop {
            // Listen first and look then, so that no ring in between is slept through.
            let ring = ticket.listen();
            match self.look(&ticket, instance, need, until) {
                Look::Done(turn) => return turn,
                Look::Wait(at) => _ = self.until(at, ring).await,
            }
        }
    }

    /// Like [`Cluster::turn`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::turn`].
    pub fn turn_blocking<C>(
        &self,
        store: &Store<C>,
        instance: &Instance,
        need: Need,
        deadline: Deadline,
    ) -> Result<Turn<C>, Error> {
        let until = deadline.to_queue(self.config());
        let ticket = Ticket::take(store, instance, idle_as_of(deadline));
        loop {
            let ring = ticket.listen();
            match self.look(&ticket, instance, need, until) {
                Look::Done(turn) => return turn,
                Look::Wait(at) => _ = ring.wait_deadline(at),
            }
        }
    }

    fn look<C>(
        &self,
        ticket: &Ticket<'_, C>,
        instance: &Instance,
        need: Need,
        until: Instant,
    ) -> Look<C> {
        if self.is_closed() {
            return Look::Done(Err(Error::new(ErrorKind::Closed, "the cluster handle was closed")));
        }
        let topology = self.snapshot();
        if is_gone(&topology, instance) {
            return Look::Done(Ok(Turn::Again));
        }
        let now = Instant::now();
        let at = match ticket.step(self.connect_rate(), now) {
            Step::Leased(lease) => return Look::Done(Ok(Turn::Leased(lease))),
            Step::Open(permit) => return Look::Done(Ok(Turn::Open(permit))),
            Step::Wait(at) => at,
        };
        if self.elsewhere(&topology, need, instance).is_some() {
            return Look::Done(Ok(Turn::Again));
        }
        if now >= until {
            return Look::Done(Err(self.no_turn(instance)));
        }
        Look::Wait(at.map_or(until, |at| at.min(until)))
    }

    /// Another reader that may serve `need`, while `instance` is left alone after a failed connect
    /// and that one is not: one whose slots are all taken must not keep reads waiting.
    #[must_use]
    pub fn elsewhere<'a>(
        &self,
        topology: &'a Topology,
        need: Need,
        instance: &Instance,
    ) -> Option<&'a Instance> {
        let now = Instant::now();
        if !Gate::rests(instance, now) {
            return None;
        }
        let others = readers(topology, need).iter().filter(|other| other.id != instance.id);
        others.filter(|other| !Gate::rests(other, now)).min_by_key(|i| i.stats().connections())
    }

    /// The error for a statement whose own connect to `instance` was cut off by its deadline, if the
    /// server had no slot left for the last one that it answered.
    #[must_use]
    pub fn had_no_slot(&self, instance: &Instance) -> Option<Error> {
        let last = instance.stats().gate().last_failure();
        (last == Some(ErrorKind::TooManyConnections)).then(|| self.no_turn(instance))
    }

    fn connect_rate(&self) -> Option<NonZeroU32> {
        self.config().connect_rate().and_then(NonZeroU32::new)
    }

    /// The error for a statement that got no connection to an instance that is there.
    fn no_turn(&self, instance: &Instance) -> Error {
        let (kind, text) = match instance.stats().gate().last_failure() {
            Some(ErrorKind::TooManyConnections) => (
                ErrorKind::TooManyConnections,
                "too many connections: the server had no slot left before the deadline; raise its \
                 max_connections, or use smaller pools"
                    .to_owned(),
            ),
            Some(kind) => {
                let text = format!("no connection before the deadline: {}", kind.as_str());
                (ErrorKind::Deadline, text)
            }
            None => (
                ErrorKind::Deadline,
                "no turn to connect before the deadline: raise connect_rate, or use smaller pools"
                    .to_owned(),
            ),
        };
        Error::new(kind, text).on(instance.id())
    }
}
