//! Opening the connections of asynchronous adapters to MySQL and MariaDB: the address the monitor
//! verified, TLS, login, and the instance's own word on its role.

mod mark;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error as DriversError, Opts, OptsBuilder, SslOpts};
use rustls::crypto::CryptoProvider;

use self::mark::Marks;
use crate::cluster::Cluster;
use crate::config::{Config, Family, RootCertificates, TlsMode};
use crate::credentials::Login;
use crate::engine::FailureKind;
use crate::error::{Error, ErrorKind, Outcome};
use crate::probe::{Failure, RDS_ROOTS};
use crate::socket::OwnSocket;
use crate::topology::{Instance, Role};

/// What all connections have in common. Shared, so that certificates are read once.
#[derive(Debug)]
pub(crate) struct Settings {
    plain: Opts,
    /// None where TLS is not to be.
    encrypted: Option<Opts>,
    marks: Marks,
}

impl Settings {
    pub(crate) fn new(config: &Config) -> Self {
        let idle = config.keepalive_idle();
        let plain = OptsBuilder::default()
            .db_name(Some(config.database()))
            .tcp_nodelay(true)
            .tcp_keepalive((!idle.is_zero()).then(|| millis(idle)))
            // On a loopback address the driver would change to the server's socket file.
            .prefer_socket(false)
            // As diesel-async connects: it keeps prepared statements itself, and an UPDATE counts
            // the rows it found, as in PostgreSQL, not those it changed.
            .stmt_cache_size(0)
            .client_found_rows(true);
        let is_wanted = config.family() == Family::MySql && config.sslmode() != TlsMode::Disable;
        let encrypted = is_wanted.then(|| {
            let verifies = verifies(config);
            // Only a server that was verified may ask for the password itself (IAM).
            let builder = plain.clone().enable_cleartext_plugin(verifies);
            Opts::from(builder.ssl_opts(ssl(config, verifies)))
        });
        Self { plain: plain.into(), encrypted, marks: Marks::new() }
    }
}

/// With a root file, `require` checks the authority as well, as in libpq.
fn verifies(config: &Config) -> bool {
    let has_file = matches!(config.sslrootcert(), RootCertificates::File(_));
    config.sslmode().verifies() || config.sslmode() == TlsMode::Require && has_file
}

/// The driver makes its own TLS configuration of this, with the process-wide crypto provider.
fn ssl(config: &Config, verifies: bool) -> SslOpts {
    if CryptoProvider::get_default().is_none() {
        // Where a program has several, the driver would panic. Somebody else may be quicker.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let options = SslOpts::default().with_disable_built_in_roots(true);
    if !verifies {
        return options
            .with_danger_accept_invalid_certs(true)
            .with_danger_skip_domain_validation(true)
            .with_disable_built_in_roots(false);
    }
    let system = || {
        let found = rustls_native_certs::load_native_certs().certs;
        found.into_iter().map(|certificate| certificate.to_vec().into())
    };
    let mut roots = Vec::new();
    match config.sslrootcert() {
        RootCertificates::File(path) => roots.push(path.clone().into()),
        RootCertificates::System => roots.extend(system()),
        RootCertificates::Rds => {
            roots.push(RDS_ROOTS.as_bytes().into());
            if config.sslmode() == TlsMode::VerifyFull {
                roots.extend(system());
            }
        }
    }
    // Its `skip_domain_validation` looks for words that rustls no longer says: the name is checked in
    // every mode that checks the authority.
    options.with_root_certs(roots)
}

impl Cluster {
    /// Opens a connection to `instance`, of a MySQL or MariaDB cluster, with everything the
    /// configuration says: credentials, TLS, keepalives. The instance is asked whether it has the
    /// role it is known for.
    ///
    /// With the connection comes its socket, by which it can be ended under whoever waits on it,
    /// where the operating system lets it be found.
    ///
    /// TLS is the driver's own. It checks the name wherever it checks the authority, so `verify-ca`
    /// is as strict as `verify-full` here. Where the program has not chosen a process-wide crypto provider of
    /// rustls, ring becomes it. `application_name` is not told, which the driver cannot.
    ///
    /// # Errors
    ///
    /// On `instance`, and nothing was applied: [`ErrorKind::ReadOnly`] when it is known as the
    /// writer and takes no writes, [`ErrorKind::Deadline`] when `deadline` passed first,
    /// [`ErrorKind::Authentication`], [`ErrorKind::Privilege`], [`ErrorKind::Tls`],
    /// [`ErrorKind::TooManyConnections`] as the server said, [`ErrorKind::Credentials`] and
    /// [`ErrorKind::Configuration`] as [`Cluster::login`] does, [`ErrorKind::WrongCluster`] when it
    /// is another cluster's, else [`ErrorKind::ConnectionLost`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropping the future closes what it has opened.
    pub async fn connect_mysql(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Conn, Option<OwnSocket>), Error> {
        let error = match self.until(deadline, self.open_proven_mysql(instance, deadline)).await {
            Some(Ok(opened)) => return Ok(opened),
            Some(Err(error)) => error,
            None => Error::new(ErrorKind::Deadline, "it did not answer before the deadline"),
        };
        Err(error.with_outcome(Outcome::NotApplied).on(instance.id()))
    }

    async fn open_proven_mysql(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Conn, Option<OwnSocket>), Error> {
        if self.config().family() != Family::MySql {
            let text = "the cluster is not one of MySQL";
            return Err(Error::new(ErrorKind::Configuration, text));
        }
        let (mut conn, socket) = self.open_mysql(instance, deadline).await?;
        let asked = conn.query_first(self.mysql_proof_sql()).await;
        let answer: Option<(Option<bool>, Option<String>)> =
            asked.map_err(|error| Failure::of_mysql_driver(&error).into_error())?;
        let (writes, identity) = answer.unwrap_or_default();
        self.check_identity(instance, identity.as_deref())?;
        // A reader that is not forbidden to write is a reader, too.
        if instance.role() == Role::Writer && writes != Some(true) {
            let text = "its role is not the one it is known for";
            return Err(Error::new(ErrorKind::ReadOnly, text));
        }
        Ok((conn, socket))
    }

    /// Connects, with other credentials where those at hand are refused.
    async fn open_mysql(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<(Conn, Option<OwnSocket>), Error> {
        loop {
            let login = self.login(instance, deadline).await?;
            match self.open_mysql_with(instance, &login).await {
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

    async fn open_mysql_with(
        &self,
        instance: &Instance,
        login: &Login,
    ) -> Result<(Conn, Option<OwnSocket>), Failure> {
        let Settings { plain, encrypted, .. } = self.mysql();
        let Some(encrypted) = encrypted else {
            return self.connect_to(plain, instance, login).await.map_err(failed);
        };
        match self.connect_to(encrypted, instance, login).await {
            Err(Refused::Driver(DriversError::Driver(DriverError::NoClientSslFlagFromServer)))
                if self.config().sslmode() == TlsMode::Prefer =>
            {
                self.connect_to(plain, instance, login).await.map_err(failed)
            }
            opened => opened.map_err(failed),
        }
    }

    /// Connects to the address at which the monitor reached the instance: a stale or silent
    /// resolver cannot hurt a statement.
    async fn connect_to(
        &self,
        settings: &Opts,
        instance: &Instance,
        login: &Login,
    ) -> Result<(Conn, Option<OwnSocket>), Refused> {
        let address = instance.address();
        let Some(ip) = instance.ip() else {
            let text = format!("{address} has not answered yet");
            return Err(Refused::Unreached(Failure::new(FailureKind::Other, text)));
        };
        let mut settings = OptsBuilder::from_opts(settings.clone())
            // The name is what TLS checks.
            .ip_or_hostname(address.host())
            .resolved_ips(Some(vec![ip]))
            .tcp_port(address.port())
            .user(Some(login.user()))
            .pass(login.password().map(|password| password.expose()));
        let mark = self.mysql().marks.next();
        if let Some(mark) = mark {
            settings = settings.tcp_keepalive(Some(millis(mark.keepalive_idle())));
        }
        let conn = Conn::new(settings).await.map_err(Refused::Driver)?;
        let peer = SocketAddr::new(ip, address.port());
        Ok((conn, mark.and_then(|mark| mark.found(peer, self.config()))))
    }
}

/// Why there is no connection.
enum Refused {
    Driver(DriversError),
    Unreached(Failure),
}

fn failed(refused: Refused) -> Failure {
    match refused {
        Refused::Driver(error) => Failure::of_mysql_driver(&error),
        Refused::Unreached(failure) => failure,
    }
}

/// As the driver wants it.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
