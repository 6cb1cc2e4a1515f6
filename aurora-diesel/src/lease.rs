//! Which physical connection serves the next statement.

use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Complaint, Deadline, ErrorKind, Instance, Lease, Need, Outcome, Permit, Turn};
use diesel::connection::{
    AnsiTransactionManager, CacheSize, TransactionManager as _, get_default_instrumentation,
};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::manager::sealed::Memory as _;
use crate::manager::{NotConnected, Physical, Shared};

impl<C: Physical> AuroraConnection<C> {
    /// Sees to it that a connection is leased that may run the statement.
    pub(crate) fn acquire(&mut self, need: Need, deadline: Deadline) -> QueryResult<()> {
        if self.session.is_transaction_lost() {
            return Err(lost(
                "the transaction was lost, with its connection or by the server's rollback: roll back, and run all of it again",
            ));
        }
        if self.session.is_free() { self.acquire_free(need, deadline) } else { self.stay() }
    }

    /// The same; what tells of an earlier statement runs on that one's connection.
    pub(crate) fn acquire_for(
        &mut self,
        classification: &Classification,
        need: Need,
        deadline: Deadline,
    ) -> QueryResult<()> {
        if !classification.follows() {
            return self.acquire(need, deadline);
        }
        let only_tells = classification.verdict() == Verdict::Session;
        if only_tells && self.session.is_free() && !self.memory.has_left() && self.may_stay() {
            return Ok(());
        }
        self.acquire(need, deadline)?;
        if self.memory.has_left() { self.refuse_to_follow(classification) } else { Ok(()) }
    }

    /// Whether the connection at hand is still of use.
    fn may_stay(&self) -> bool {
        let Some(lease) = self.lease.as_ref().filter(|_| !self.dirty) else { return false };
        lease.is_in_epoch(&self.shared.cluster.snapshot())
    }

    /// Fails if the statement would tell of an earlier one, and runs elsewhere.
    pub(crate) fn refuse_to_follow(&self, classification: &Classification) -> QueryResult<()> {
        if classification.follows() { Err(lost(STATEMENT_LEFT)) } else { Ok(()) }
    }

    /// Keeps the connection that a transaction or session state binds the session to.
    pub(crate) fn stay(&mut self) -> QueryResult<()> {
        if self.session.in_transaction() {
            return self.leased().map(|_| ());
        }
        self.keep_pinned()
    }

    /// Leases a connection to an instance that serves `need`, waiting for one if there is none.
    fn acquire_free(&mut self, need: Need, deadline: Deadline) -> QueryResult<()> {
        self.shared.cluster.wait_fresh_blocking(need, deadline);
        loop {
            let cluster = &self.shared.cluster;
            let topology = cluster.snapshot();
            let stays = self.session.reader();
            let Some(instance) = cluster.route_staying(&topology, need, stays) else {
                drop(topology);
                self.release();
                let found = self.shared.cluster.wait_for_blocking(need, deadline.at());
                found.map_err(|error| errors::from_core(&error))?;
                continue;
            };
            if self.lease.as_ref().is_some_and(|lease| !self.dirty && lease.is_current(instance)) {
                return Ok(());
            }
            let idle = self.shared.store.take(instance, deadline);
            if idle.is_none() {
                // Connecting takes long: hold no snapshot, and no connection one does not need.
                let other = self.shared.cluster.elsewhere(&topology, need, instance);
                let instance = other.unwrap_or(instance).clone();
                drop(topology);
                self.release();
                self.lease = self.wait_or_connect(&instance, need, deadline)?;
            } else {
                self.release();
                self.lease = idle;
            }
            if let Some(lease) = &self.lease {
                self.session.settle(lease.instance(), lease.role());
                self.tell_lease();
                return Ok(());
            }
        }
    }

    /// Waits for a connection to `instance` that somebody gives back, or for the turn to open one;
    /// `None` when the topology has to be looked at again.
    fn wait_or_connect(
        &self,
        instance: &Instance,
        need: Need,
        deadline: Deadline,
    ) -> QueryResult<Option<Lease<C>>> {
        let Shared { cluster, store, .. } = &*self.shared;
        if let Some(lease) = store.take(instance, deadline) {
            return Ok(Some(lease));
        }
        let turn = cluster.turn_blocking(store, instance, need, deadline);
        match turn.map_err(|error| errors::from_core(&error))? {
            Turn::Leased(lease) => Ok(Some(lease)),
            Turn::Open(permit) => self.connect(instance, permit, deadline),
            _ => Ok(None),
        }
    }

    /// Opens a connection to `instance`; `None` when that fails for now.
    fn connect(
        &self,
        instance: &Instance,
        permit: Permit,
        deadline: Deadline,
    ) -> QueryResult<Option<Lease<C>>> {
        let cluster = &self.shared.cluster;
        let is_cut = deadline.cuts_connect(cluster.config());
        let timeout = deadline.to_connect(cluster.config());
        let failure = match self.shared.connect(instance, timeout) {
            Ok(lease) => {
                permit.opened();
                // What happened meanwhile may have made it one of an instance that is out of use.
                return Ok(Some(lease).filter(|lease| lease.is_in_epoch(&cluster.snapshot())));
            }
            Err(failure) => failure,
        };
        let Some((complaint, kind, message)) = judge::<C>(failure, instance)? else {
            return Ok(None);
        };
        // The statement ran out of time, which is no fault of the instance.
        if is_cut && deadline.has_passed() && kind == ErrorKind::ConnectionLost {
            // What others were told says more than that it had no time left.
            if let Some(error) = cluster.had_no_slot(instance) {
                return Err(errors::from_core(&error));
            }
        } else {
            permit.failed(kind);
            if let Some(complaint) = complaint {
                cluster.complain(instance.id(), instance.epoch(), complaint, message.trim());
            }
        }
        if deadline.has_passed() {
            let id = instance.id();
            let text = format!("no connection to {id} before the deadline: {}", message.trim());
            let kind = match kind {
                ErrorKind::Credentials | ErrorKind::TooManyConnections => kind,
                _ => ErrorKind::Deadline,
            };
            return Err(errors::from_core(&aurora_core::Error::new(kind, text).on(id)));
        }
        Ok(None)
    }

    /// Session state ties the session to its connection, dead or alive.
    fn keep_pinned(&mut self) -> QueryResult<()> {
        if let Some(lease) = &self.lease {
            let topology = self.shared.cluster.snapshot();
            let instance = topology.instance(lease.instance());
            if instance.is_some_and(|instance| instance.epoch() == lease.epoch()) {
                return Ok(());
            }
        }
        self.lease = None;
        self.dirty = false;
        self.memory.lost();
        self.session.disconnected();
        Err(lost(SESSION_LOST))
    }

    /// The connection leased for the statement.
    pub(crate) fn leased(&mut self) -> QueryResult<&mut C> {
        match &mut self.lease {
            Some(lease) => Ok(&mut **lease),
            None => Err(Error::BrokenTransactionManager),
        }
    }

    /// Gives the connection back to the store if others may use it; else closes it.
    pub(crate) fn release(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        self.memory.left();
        let dirty = std::mem::take(&mut self.dirty);
        if dirty || !self.session.is_free() {
            return;
        }
        if AnsiTransactionManager::is_broken_transaction_manager(&mut *lease) {
            return;
        }
        if self.instrumented {
            lease.set_instrumentation(get_default_instrumentation());
        }
        if self.cache_size.is_some() {
            lease.set_prepared_statement_cache_size(CacheSize::Unbounded);
        }
        self.shared.store.put(lease, self.used_at);
    }

    /// Check-in: the session gives everything back and is as new, except for a test transaction,
    /// which goes on. Returns whether the session cannot be used again.
    #[cfg(feature = "r2d2")]
    pub(crate) fn check_in(&mut self) -> bool {
        if !self.is_test_transaction() {
            self.reset();
        }
        false
    }

    /// Check-out: lets go of a connection that is out of use.
    #[cfg(feature = "r2d2")]
    pub(crate) fn drop_stale(&mut self) {
        if !self.session.is_free() {
            return;
        }
        self.release();
    }

    /// Passes on to a connection what this session has of its own.
    fn tell_lease(&mut self) {
        let Some(lease) = &mut self.lease else { return };
        if self.instrumented {
            lease.set_instrumentation(self.instrumentation.clone());
        }
        if let Some(size) = self.cache_size {
            lease.set_prepared_statement_cache_size(size);
        }
    }
}

/// What a failed connect says of its instance, and in which words; `None` if it says nothing, the
/// error when no other instance, and no later moment, would do better.
fn judge<C: Physical>(
    failure: NotConnected,
    instance: &Instance,
) -> QueryResult<Option<(Option<Complaint>, ErrorKind, String)>> {
    let is_final = |kind, text: String| {
        Err(errors::from_core(&aurora_core::Error::new(kind, text).on(instance.id())))
    };
    match failure {
        // Nothing was found out: the topology has to be looked at again.
        NotConnected::GivenUp => Ok(None),
        NotConnected::WrongRole => {
            let message = "its role is not the one it is known for".to_owned();
            Ok(Some((Some(Complaint::WrongRole), ErrorKind::ReadOnly, message)))
        }
        // No fault of the instance, and it may pass.
        NotConnected::NoLogin(error) if error.kind() == ErrorKind::Credentials => {
            Ok(Some((None, ErrorKind::Credentials, error.message().to_owned())))
        }
        NotConnected::NoLogin(error) | NotConnected::NotPossible(error) => {
            Err(errors::from_core(&error))
        }
        // No fault of the instance.
        NotConnected::NotPrepared(message) => is_final(
            ErrorKind::Statement,
            format!("on_connect failed on a new connection: {message}"),
        ),
        NotConnected::Refused(message) => match C::refusal(&message) {
            // It is alive, and may have a slot again in a moment.
            Some(kind @ ErrorKind::TooManyConnections) => Ok(Some((None, kind, message))),
            Some(kind) => is_final(kind, message.trim().to_owned()),
            None => Ok(Some((Some(Complaint::ConnectionLost), ErrorKind::ConnectionLost, message))),
        },
    }
}

/// The error for what went with its connection, and was not applied.
fn lost(text: &str) -> Error {
    let error = aurora_core::Error::new(ErrorKind::ConnectionLost, text);
    errors::from_core(&error.with_outcome(Outcome::NotApplied))
}

const STATEMENT_LEFT: &str = "it tells of a statement on a connection that the session has left since: ask right after that statement, or in the same transaction";

const SESSION_LOST: &str = "the session's settings, locks, temporary tables and the like were lost with its connection: set them again";
