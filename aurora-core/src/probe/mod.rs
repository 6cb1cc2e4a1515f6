//! The monitor's own connections: one per instance, with a deadline on every step.

mod failure;
mod link;
#[cfg(feature = "mysql")]
mod mysql;
mod postgres;
mod tls;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use self::failure::Failure;
use self::link::Link;
pub(crate) use self::postgres::{settings, start};
pub(crate) use self::tls::{RDS_ROOTS, Tls};
use crate::config::{Address, Config};
use crate::credentials::Keyring;
use crate::dialect::Dialect;
use crate::engine::{Members, Report};
use crate::names::Names;

/// Where an address is remembered, this part of `connect_timeout` is waited for a fresh one: most
/// of the time is left to connect, and a resolver that answers at all is mostly quicker (250 ms
/// by default).
const LATE: u32 = 8;

/// One open monitoring connection.
pub(crate) struct Session {
    link: Link,
    dialect: Box<dyn Dialect>,
    ip: IpAddr,
    /// Which server process it leads to, once it was asked.
    server: Option<Arc<str>>,
}

/// What monitors share: how to reach an instance.
#[derive(Clone)]
pub(crate) struct Prober {
    config: Config,
    tls: Arc<Tls>,
    names: Names,
    keyring: Arc<Keyring>,
    /// The dialect that the servers were found to speak.
    dialect: Arc<OnceLock<&'static str>>,
    /// How many connects from now on run into a bug.
    #[cfg(test)]
    pub(crate) bugs: Arc<std::sync::atomic::AtomicU32>,
}

impl Prober {
    pub(crate) fn new(config: Config, keyring: Arc<Keyring>) -> Result<Self, crate::Error> {
        link::supports(config.family())?;
        let tls = Arc::new(Tls::new(config.sslmode(), config.sslrootcert())?);
        let names = Names::new(config.resolver(), config.connect_timeout() / LATE);
        #[cfg(test)]
        let bugs = Arc::default();
        Ok(Self {
            config,
            tls,
            names,
            keyring,
            dialect: Arc::default(),
            #[cfg(test)]
            bugs,
        })
    }

    /// How long making a connection may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout()
    }

    /// The names of the cluster.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The dialect that the servers were found to speak, once one has answered.
    pub(crate) fn dialect(&self) -> Arc<OnceLock<&'static str>> {
        Arc::clone(&self.dialect)
    }

    /// How connections to the cluster are encrypted.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Opens a monitoring connection to `address` within `connect_timeout`, all steps together.
    pub(crate) async fn open(&self, address: &Address) -> Result<Session, Failure> {
        #[cfg(test)]
        self.run_into_bug();
        let timeout = self.config.connect_timeout();
        let deadline = tokio::time::Instant::now() + timeout;
        let found = self.names.resolve(address.host(), timeout).await?;
        let open = async {
            let (mut link, ip) = self.log_in(address, found, deadline).await?;
            let dialect = link.detect(self.config.dialect()).await?;
            self.names.reached(address, ip);
            // All of one cluster speak the same.
            let _ = self.dialect.set(dialect.name());
            Ok(Session { link, dialect, ip, server: None })
        };
        let opened = tokio::time::timeout_at(deadline, open).await;
        opened.unwrap_or_else(|_| Err(Failure::silent(address, timeout)))
    }

    /// Connects, with other credentials where those at hand are refused.
    async fn log_in(
        &self,
        address: &Address,
        found: Vec<IpAddr>,
        deadline: tokio::time::Instant,
    ) -> Result<(Link, IpAddr), Failure> {
        loop {
            let login = self.keyring.login(address, deadline.into_std()).await;
            let login = login.map_err(|error| Failure::no_login(&error))?;
            let opened =
                Link::connect(&self.config, &self.tls, address, &login, found.clone()).await;
            match opened {
                Ok(opened) => {
                    self.keyring.accepted(&login);
                    return Ok(opened);
                }
                Err(failure) if failure.refuses_login() => {
                    let again = self.keyring.refused(&login, failure.message());
                    again.map_err(|_| failure)?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The same, and asks the instance, so that it is known which server process it is.
    pub(crate) async fn open_and_ask(&self, address: &Address) -> Result<Session, Failure> {
        let mut session = self.open(address).await?;
        let timeout = self.config.connect_timeout();
        let asked = tokio::time::timeout(timeout, session.ask()).await;
        asked.unwrap_or_else(|_| Err(Failure::silent(address, timeout)))?;
        Ok(session)
    }

    #[cfg(test)]
    fn run_into_bug(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let one = self.bugs.fetch_update(Relaxed, Relaxed, |bugs| bugs.checked_sub(1));
        assert!(one.is_err(), "a bug of the monitor");
    }
}

impl Session {
    /// Asks the instance about itself. Without a deadline: the caller has one.
    pub(crate) async fn ask(&mut self) -> Result<Report, Failure> {
        let report = self.report().await?;
        self.server.clone_from(&report.server);
        Ok(Report { ip: Some(self.ip), ..report })
    }

    /// Asks for everything; where that fails because of the topology, for the instance itself.
    async fn report(&mut self) -> Result<Report, Failure> {
        let failure = match self.link.ask(self.dialect.probe_sql()).await {
            Ok(answer) => return Ok(self.dialect.report(&answer)?),
            Err(failure) => failure,
        };
        let (Some(fault), Some(sql)) = (failure.fault_of_topology(), self.dialect.own_sql()) else {
            return Err(failure);
        };
        let own = self.dialect.report(&self.link.ask(sql).await?)?;
        Ok(Report { members: Members::Refused(fault.into()), ..own })
    }

    /// The address it leads to.
    pub(crate) fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Which dialect the server was found to speak.
    pub(crate) fn dialect(&self) -> &'static str {
        self.dialect.name()
    }

    /// Whether both are known to lead to the same server process at the same address.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.ip == other.ip && self.server.is_some() && self.server == other.server
    }

    /// Whether the connection has ended.
    pub(crate) fn is_broken(&mut self) -> bool {
        self.link.is_broken()
    }

    /// Waits until the connection has ended, and says why.
    pub(crate) async fn closed(&mut self) -> Failure {
        self.link.closed().await
    }
}
