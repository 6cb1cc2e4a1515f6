//! Which physical connection serves the next statement.

use std::time::Instant;

use aurora_core::{
    Complaint, Deadline, Error, ErrorKind, Instance, Lease, Need, Outcome, Permit, Turn,
};
use diesel::connection::{CacheSize, get_default_instrumentation};
use diesel::result::QueryResult;

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::Link as _;
use super::manager::Shared;
use crate::errors;

const TRANSACTION_LOST: &str = "the transaction was lost with its connection, the server rolled it back, or a future of it was dropped: roll back, and run all of it again";
const SESSION_LOST: &str = "the session's settings, locks, temporary tables and the like were lost with its connection: set them again";

impl<C: Physical> AuroraConnection<C> {
    /// Sees to it that a connection is leased that may run the statement.
    pub(crate) async fn acquire(&mut self, need: Need, deadline: Deadline) -> QueryResult<()> {
        if self.session.is_transaction_lost() {
            return Err(lost(TRANSACTION_LOST));
        }
        if self.session.in_transaction() {
            return if self.lease.is_some() { Ok(()) } else { Err(lost(TRANSACTION_LOST)) };
        }
        if self.session.is_pinned() {
            return self.keep_pinned();
        }
        self.acquire_free(need, deadline).await
    }

    /// Leases a connection to an instance that serves `need`, waiting for one if there is none.
    async fn acquire_free(&mut self, need: Need, deadline: Deadline) -> QueryResult<()> {
        if self.shared.cluster.may_wait_fresh(need) {
            Box::pin(self.shared.cluster.wait_fresh(need, deadline)).await;
        }
        loop {
            match self.lease_idle(need, deadline) {
                Found::Leased => return Ok(()),
                Found::WithId => Box::pin(self.carry_insert_id()).await,
                Found::Nobody => {
                    let waiting = self.shared.cluster.wait_for(need, deadline.at());
                    let found = Box::pin(waiting).await;
                    found.map_err(|error| errors::from_core(&error))?;
                }
                Found::Unconnected(instance) => {
                    let lease = Box::pin(self.wait_or_connect(&instance, need, deadline)).await?;
                    // One that its server ended while it was given back is dropped here.
                    if let Some(lease) = lease.filter(|lease| !lease.is_closed()) {
                        self.lease = Some(lease);
                        self.settle();
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Leases what is there, without waiting and without counting references.
    fn lease_idle(&mut self, need: Need, deadline: Deadline) -> Found {
        let topology = self.shared.cluster.snapshot();
        let stays = self.session.reader();
        let Some(instance) = self.shared.cluster.route_staying(&topology, need, stays) else {
            self.release();
            return Found::Nobody;
        };
        if let Some(lease) = &self.lease {
            let is_usable = !lease.is_closed();
            let is_current = is_usable && lease.is_current(instance);
            let is_clean = is_usable && self.is_clean();
            if is_current && is_clean {
                return Found::Leased;
            }
            if is_clean && self.must_carry_insert_id() {
                return Found::WithId;
            }
            self.release();
        }
        let shared = &*self.shared;
        let lease = match take_open(shared, instance, deadline) {
            Some(lease) => lease,
            None => {
                let other = shared.cluster.elsewhere(&topology, need, instance);
                let instance = other.unwrap_or(instance);
                match take_open(shared, instance, deadline) {
                    Some(lease) => lease,
                    None => return Found::Unconnected(Box::new(instance.clone())),
                }
            }
        };
        self.lease = Some(lease);
        self.settle();
        Found::Leased
    }

    /// The session uses the connection from now on.
    fn settle(&mut self) {
        if let Some(lease) = &self.lease {
            self.session.settle(lease.instance(), lease.role());
        }
        self.tell_lease();
    }

    /// Whether others may use the connection after this session, or this one from anew.
    pub(crate) fn is_clean(&mut self) -> bool {
        !self.dirty && self.in_flight.is_none() && self.leftover_is_over()
    }

    /// Waits for a connection to `instance` that somebody gives back, or for the turn to open one;
    /// `None` when the topology has to be looked at again.
    async fn wait_or_connect(
        &self,
        instance: &Instance,
        need: Need,
        deadline: Deadline,
    ) -> QueryResult<Option<Lease<C::Link>>> {
        let Shared { cluster, store, .. } = &*self.shared;
        let turn = cluster.turn(store, instance, need, deadline).await;
        match turn.map_err(|error| errors::from_core(&error))? {
            Turn::Leased(lease) => Ok(Some(lease)),
            Turn::Open(permit) => self.connect(instance, permit, deadline).await,
            _ => Ok(None),
        }
    }

    /// Opens a connection to `instance`; `None` when that fails for now.
    async fn connect(
        &self,
        instance: &Instance,
        permit: Permit,
        deadline: Deadline,
    ) -> QueryResult<Option<Lease<C::Link>>> {
        let cluster = &self.shared.cluster;
        let is_cut = deadline.cuts_connect(cluster.config());
        let until = Instant::now() + deadline.to_connect(cluster.config());
        let opening = self.shared.connect(instance, until);
        // Who vanished does not answer, and another one may take the statement already.
        let Some(opened) = cluster.while_usable(instance, until, opening).await else {
            return Ok(None);
        };
        let error = match opened {
            Ok(lease) => {
                permit.opened();
                // What happened meanwhile may have made it one of an instance that is out of use.
                return Ok(Some(lease).filter(|lease| lease.is_in_epoch(&cluster.snapshot())));
            }
            Err(error) => error,
        };
        let complaint = match error.kind() {
            ErrorKind::ReadOnly => Some(Complaint::WrongRole),
            ErrorKind::ConnectionLost | ErrorKind::Deadline | ErrorKind::Protocol => {
                Some(Complaint::ConnectionLost)
            }
            // It is alive, and may have a slot again in a moment; or there may be something to log
            // in with.
            ErrorKind::Credentials | ErrorKind::TooManyConnections => None,
            // No other instance would do better.
            _ => return Err(errors::from_core(&error)),
        };
        // The statement ran out of time, which is no fault of the instance.
        if is_cut && deadline.has_passed() && error.kind() == ErrorKind::Deadline {
            // What others were told says more than that it had no time left.
            if let Some(error) = cluster.had_no_slot(instance) {
                return Err(errors::from_core(&error));
            }
        } else {
            permit.failed(error.kind());
            if let Some(complaint) = complaint {
                cluster.complain(instance.id(), instance.epoch(), complaint, error.message());
            }
        }
        if deadline.has_passed() {
            let kind = match error.kind() {
                kind @ (ErrorKind::Credentials | ErrorKind::TooManyConnections) => kind,
                _ => ErrorKind::Deadline,
            };
            let text = format!("no connection before the deadline: {}", error.message());
            return Err(errors::from_core(&Error::new(kind, text).on(instance.id())));
        }
        Ok(None)
    }

    /// Session state ties the session to its connection, dead or alive.
    fn keep_pinned(&mut self) -> QueryResult<()> {
        let topology = self.shared.cluster.snapshot();
        let is_there = self.lease.as_ref().is_some_and(|lease| {
            let instance = topology.instance(lease.instance());
            instance.is_some_and(|instance| instance.epoch() == lease.epoch())
        });
        if is_there {
            return Ok(());
        }
        self.close_lease();
        self.session.disconnected();
        Err(lost(SESSION_LOST))
    }

    /// Gives the connection back to the store if others may use it; else closes it.
    pub(crate) fn release(&mut self) {
        if !self.session.is_free() || !self.is_clean() {
            return self.close_lease();
        }
        let Some(mut lease) = self.lease.take() else { return };
        self.insert_id.left();
        if lease.is_closed() {
            return;
        }
        // One of which rows are on their way is no clean one.
        let Some(connection) = lease.connection() else { return };
        if self.instrumented {
            connection.set_instrumentation(get_default_instrumentation());
        }
        if self.cache_size.is_some() {
            connection.set_prepared_statement_cache_size(CacheSize::Unbounded);
        }
        self.shared.store.put(lease, self.used_at);
    }

    /// Closes the connection, whatever it is in the middle of.
    pub(crate) fn close_lease(&mut self) {
        if !self.is_clean()
            && let Some(lease) = &mut self.lease
        {
            lease.sever();
        }
        self.insert_id.left();
        self.dirty = false;
        self.in_flight = None;
        *self.leftover() = None;
        self.lease = None;
    }

    /// Passes on to a connection what this session has of its own.
    fn tell_lease(&mut self) {
        let Some(lease) = &mut self.lease else { return };
        let Some(connection) = lease.connection() else { return };
        if self.instrumented {
            connection.set_instrumentation(self.instrumentation.clone());
        }
        if let Some(size) = self.cache_size {
            connection.set_prepared_statement_cache_size(size);
        }
    }
}

/// What there is for a statement without waiting.
enum Found {
    Leased,
    Nobody,
    /// The connection the session is about to leave has the id of its last INSERT.
    WithId,
    Unconnected(Box<Instance>),
}

/// An idle connection; one that its server ended meanwhile is dropped.
fn take_open<C: Physical>(
    shared: &Shared<C>,
    instance: &Instance,
    deadline: Deadline,
) -> Option<Lease<C::Link>> {
    std::iter::from_fn(|| shared.store.take(instance, deadline)).find(|lease| !lease.is_closed())
}

/// The error for what went with its connection, and was not applied.
pub(crate) fn lost(text: &str) -> diesel::result::Error {
    let error = Error::new(ErrorKind::ConnectionLost, text);
    errors::from_core(&error.with_outcome(Outcome::NotApplied))
}
