//! Opening the physical connections behind the sessions.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use aurora_core::session::Trouble;
use aurora_core::{ErrorKind, Instance, Lease, Login};
use diesel::result::Error;

use super::{Physical, Shared, sealed};
use crate::errors;

/// How soon it is noticed that a connection that is being opened is of no use any more.
const LOOK: Duration = Duration::from_millis(50);

impl<C: Physical> Shared<C> {
    /// Opens a physical connection within `timeout`, with other credentials where those at hand
    /// are refused.
    pub(crate) fn connect(
        self: &Arc<Self>,
        instance: &Instance,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        let deadline = Instant::now() + timeout;
        loop {
            let login = self.cluster.login_blocking(instance, deadline);
            let login = login.map_err(NotConnected::NoLogin)?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connect_with(instance, &login, left) {
                Err(NotConnected::Refused(message)) if C::refuses_login(&message) => {
                    let again = self.cluster.login_refused(&login, message.trim());
                    again.map_err(|_| NotConnected::Refused(message))?;
                }
                connected => return connected,
            }
        }
    }

    /// Opens a physical connection within `timeout`; it is checked to have the role it is used
    /// for.
    ///
    /// The blocking driver bounds the login at best, in whole seconds, and nothing of what it asks
    /// after that: a server that hangs in between would hold the caller for ever. So a thread of
    /// its own connects, and is left to itself when it takes too long, or nobody wants it any more.
    fn connect_with(
        self: &Arc<Self>,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (shared, to, login) = (Arc::clone(self), instance.clone(), login.clone());
        let connecting = thread::Builder::new().name("aurora-connect".to_owned());
        let started = connecting.spawn(move || {
            // Nobody waits any more: the connection is closed.
            let _ = sender.send(shared.connect_here(&to, &login, timeout));
        });
        if let Err(error) = started {
            return Err(NotConnected::Refused(format!("cannot start a thread: {error}")));
        }
        let end = Instant::now() + timeout;
        while self.cluster.is_usable(instance) {
            let left = end.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left.min(LOOK)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if left > LOOK => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if !self.cluster.is_usable(instance) {
            return Err(NotConnected::GivenUp);
        }
        let address = instance.address();
        Err(NotConnected::Refused(format!("no connection to {address} within {timeout:?}")))
    }

    /// Opens a physical connection on this thread.
    fn connect_here(
        &self,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
    ) -> Result<Lease<C>, NotConnected> {
        if self.cluster.config().family() != C::FAMILY {
            let text = "the cluster's servers are not of the kind that this connection speaks with";
            let error = aurora_core::Error::new(ErrorKind::Configuration, text);
            return Err(NotConnected::NotPossible(error));
        }
        let breaks = instance.stats().breaks();
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let mut connection = C::open(&self.cluster, instance, login, timeout, mark)
            .map_err(|problem| problem.into_failure())?;
        self.cluster.login_accepted(login);
        let proof = connection
            .prove(&self.cluster, instance, mark)
            .map_err(|error| NotConnected::from_query(&error))?;
        let own = self.cluster.check_identity(instance, proof.identity.as_deref());
        own.map_err(NotConnected::NotPossible)?;
        if !proof.fits(instance.role()) {
            return Err(NotConnected::WrongRole);
        }
        if let Some(on_connect) = &self.on_connect {
            on_connect(&mut connection).map_err(|error| {
                let explained = connection.explain(error, sealed::Form::Text);
                NotConnected::from_preparation(&explained.error)
            })?;
        }
        let mut lease = Lease::new(connection, instance, breaks, Instant::now());
        if let Some(abort) = proof.abort {
            self.store.watch(&mut lease, abort);
        }
        if let Some(socket) = proof.socket {
            lease.ended_when(move || socket.has_news());
        }
        Ok(lease)
    }
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// The instance went out of use meanwhile, or the cluster's handle was closed.
    GivenUp,
    /// The user's `on_connect` failed on a connection that works.
    NotPrepared(String),
    /// There is nothing to log in with.
    NoLogin(aurora_core::Error),
    /// Neither another instance nor a later moment would do better: it is another cluster's, or
    /// what the configuration asks for cannot be had.
    NotPossible(aurora_core::Error),
    Refused(String),
    WrongRole,
}

impl sealed::NotOpened {
    fn into_failure(self) -> NotConnected {
        match self {
            Self::NotPossible(text) => {
                let error = aurora_core::Error::new(ErrorKind::Configuration, text);
                NotConnected::NotPossible(error)
            }
            Self::Refused(error) => NotConnected::Refused(error.to_string()),
        }
    }
}

impl NotConnected {
    fn from_preparation(error: &Error) -> Self {
        let message = errors::driver_message(error);
        match errors::trouble(error, false) {
            Trouble::Lost | Trouble::NotSent => Self::Refused(message),
            Trouble::Conflict | Trouble::ReadOnly | Trouble::Statement => {
                Self::NotPrepared(message)
            }
        }
    }

    fn from_query(error: &Error) -> Self {
        Self::Refused(errors::driver_message(error))
    }
}
