//! Opening the connections of asynchronous adapters to PostgreSQL: the address the monitor
//! verified, TLS, login, and the instance's own word on its role.

use std::net::SocketAddr;
use std::time::Instant;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cluster::Cluster;
use crate::config::Family;
use crate::credentials::Login;
use crate::engine::FailureKind;
use crate::error::{Error, ErrorKind, Outcome};
use crate::probe::{self, Failure};
use crate::socket;
use crate::topology::{Instance, Role};

/// The task that drives a connection. Dropping it closes the connection at once, whatever it is
/// in the middle of.
#[derive(Debug)]
#[must_use = "dropping it closes the connection"]
pub struct PostgresDriver(AbortHandle);

impl PostgresDriver {
    /// What closes the connection from outside, under whoever waits for an answer.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.0.clone()
    }

    /// Whether the connection is certainly closed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for PostgresDriver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Cluster {
    /// Opens a connection to `instance` with everything the configuration says: credentials,
    /// TLS, keepalives, session options. The instance is asked whether it has the role it is
    /// known for.
    ///
    /// The connection is driven by a task on the caller's runtime.
    ///
    /// # Errors
    ///
    /// On `instance`, and nothing was applied: [`ErrorKind::ReadOnly`] when its role is another
    /// one, [`ErrorKind::Deadline`] when `deadline` passed first, [`ErrorKind::Authentication`],
    /// [`ErrorKind::Privilege`], [`ErrorKind::Tls`], [`ErrorKind::TooManyConnections`] as the
    /// server said, [`ErrorKind::Credentials`] and [`ErrorKind::Configuration`] as
    /// [`Cluster::login`] does, [`ErrorKind::WrongCluster`] when it is another cluster's, else [`ErrorKind::ConnectionLost`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropping the future closes what it has opened.
    pub async fn connect_postgres(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Client, PostgresDriver), Error> {
        if self.config().family() != Family::Postgres {
            let text = "the cluster is not one of PostgreSQL";
            return Err(Error::new(ErrorKind::Configuration, text)
                .with_outcome(Outcome::NotApplied)
                .on(instance.id()));
        }
        let error = match self.until(deadline, self.open_proven(instance, deadline)).await {
            Some(Ok(opened)) => return Ok(opened),
            Some(Err(error)) => error,
            None => Error::new(ErrorKind::Deadline, "it did not answer before the deadline"),
        };
        Err(error.with_outcome(Outcome::NotApplied).on(instance.id()))
    }

    async fn open_proven(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Client, PostgresDriver), Error> {
        let opened = self.open(instance, deadline).await?;
        let asked = own_word(&opened.0, self.identity_sql()).await;
        let (recovering, identity) = asked.map_err(Failure::into_error)?;
        self.check_identity(instance, identity.as_deref())?;
        if recovering == (instance.role() == Role::Writer) {
            let text = "its role is not the one it is known for";
            return Err(Error::new(ErrorKind::ReadOnly, text));
        }
        Ok(opened)
    }

    /// Connects, with other credentials where those at hand are refused.
    async fn open(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Client, PostgresDriver), Error> {
        loop {
            let login = self.login(instance, deadline).await?;
            match self.open_with(instance, &login).await {
                Ok(opened) => {
                    self.login_accepted(&login);
                    return Ok(opened);
                }
                Err(failure) if failure.refuses_login() => {
                    self.login_refused(&login, failure.message())?;
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
    }

    async fn open_with(
        &self,
        instance: &Instance,
        login: &Login,
    ) -> Result<(Client, PostgresDriver), Failure> {
        let config = self.config();
        let stream = reach(instance).await?;
        // An operating system that refuses an option still gives a connection that works.
        let _ = stream.set_nodelay(true);
        socket::bound(&SockRef::from(&stream), config);
        let mut settings = probe::settings(config, login, config.application_name());
        if !config.options().is_empty() {
            settings.options(config.options());
        }
        let address = instance.address();
        let (client, driver) = probe::start(&settings, self.tls(), address, stream).await?;
        Ok((client, PostgresDriver(driver.abort_handle())))
    }
}

/// Connects to the address at which the monitor reached the instance: a stale or silent resolver
/// cannot hurt a statement.
async fn reach(instance: &Instance) -> Result<TcpStream, Failure> {
    let address = instance.address();
    let Some(ip) = instance.ip() else {
        return Err(Failure::new(FailureKind::Other, format!("{address} has not answered yet")));
    };
    let known = SocketAddr::new(ip, address.port());
    let failed = |error| Failure::from_io(&error, &format!("cannot connect to {known}"));
    TcpStream::connect(known).await.map_err(failed)
}

/// Whether the server is in recovery, and which cluster it belongs to.
async fn own_word(client: &Client, identity: &str) -> Result<(bool, Option<String>), Failure> {
    let question = format!("SELECT pg_catalog.pg_is_in_recovery(), {identity}");
    for message in client.simple_query(&question).await? {
        // The enum is open; only rows matter.
        if let SimpleQueryMessage::Row(row) = message {
            return Ok((row.get(0) == Some("t"), row.get(1).map(str::to_owned)));
        }
    }
    Err(Failure::new(FailureKind::Other, "it does not say whether it is in recovery"))
}
