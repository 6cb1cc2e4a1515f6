//! What adapters need to log in.

use std::sync::Arc;
use std::time::Instant;

use event_listener::EventListener;

use super::Cluster;
use crate::credentials::{Keyring, Login};
use crate::error::Error;
use crate::topology::Instance;

/// What adapters need to log in.
impl Cluster {
    /// What to log in with at `instance`, waiting for it until `deadline`.
    ///
    /// # Errors
    ///
    /// On `instance`: [`ErrorKind::Credentials`](crate::ErrorKind::Credentials) when there is
    /// nothing to log in with at the deadline, which is no fault of the instance;
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) when the server refuses
    /// whatever there is, [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when who
    /// provides the credentials cannot.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn login(&self, instance: &Instance, deadline: Instant) -> Result<Login, Error> {
        let login = self.keyring().login(instance.address(), deadline).await;
        login.map_err(|error| error.on(instance.id()))
    }

    /// Like [`Cluster::login`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::login`].
    pub fn login_blocking(&self, instance: &Instance, deadline: Instant) -> Result<Login, Error> {
        let login = self.keyring().login_blocking(instance.address(), deadline);
        login.map_err(|error| error.on(instance.id()))
    }

    /// What to log in with at `instance`, if it is known now.
    #[must_use]
    pub fn login_now(&self, instance: &Instance) -> Option<Login> {
        self.keyring().login_now(instance.address())
    }

    /// Notes that the server let a connection in.
    pub fn login_accepted(&self, login: &Login) {
        self.keyring().accepted(login);
    }

    /// Notes that the server refused a connection, with these words (SQLSTATE 28P01, 28000).
    /// [`Cluster::login`] knows what to do then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) when nothing can be done:
    /// the password is a fixed one.
    pub fn login_refused(&self, login: &Login, message: &str) -> Result<(), Error> {
        self.keyring().refused(login, message)
    }

    /// Whether credentials may change while the program runs.
    #[must_use]
    pub fn has_changing_logins(&self) -> bool {
        !self.keyring().is_fixed()
    }

    /// Rings when [`Cluster::login_now`] may say something else.
    #[must_use]
    pub fn login_changed(&self) -> EventListener {
        self.keyring().changed()
    }

    fn keyring(&self) -> &Arc<Keyring> {
        &self.0.keyring
    }
}
