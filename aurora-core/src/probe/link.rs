//! One connection of a monitor, whatever protocol the servers speak.

use std::net::IpAddr;

#[cfg(feature = "mysql")]
use super::mysql::{self, MySqlLink};
use super::postgres::{self, PostgresLink};
use super::{Failure, Tls};
use crate::config::{Address, Config, DialectChoice, Family};
use crate::credentials::Login;
use crate::dialect::{self, Answer, Dialect};
use crate::error::Error;

/// An open connection; dropping it closes it.
pub(super) enum Link {
    Postgres(PostgresLink),
    #[cfg(feature = "mysql")]
    MySql(MySqlLink),
}

/// Whether this build speaks the protocol.
#[cfg_attr(feature = "mysql", expect(clippy::unnecessary_wraps, reason = "without it, it may not"))]
pub(super) fn supports(family: Family) -> Result<(), Error> {
    match family {
        Family::Postgres => Ok(()),
        #[cfg(feature = "mysql")]
        Family::MySql => Ok(()),
        #[cfg(not(feature = "mysql"))]
        Family::MySql => Err(Error::new(
            crate::error::ErrorKind::Configuration,
            "the URL is of a MySQL cluster: enable the feature `mysql` of aurora-core",
        )),
    }
}

impl Link {
    /// Connects to the one of `found`, the addresses of `address`, that lets us first. The caller
    /// holds the deadline.
    pub(super) async fn connect(
        config: &Config,
        tls: &Tls,
        address: &Address,
        login: &Login,
        found: Vec<IpAddr>,
    ) -> Result<(Self, IpAddr), Failure> {
        #[cfg(feature = "mysql")]
        if config.family() == Family::MySql {
            let (link, ip) = mysql::connect(config, tls, address, login, found).await?;
            return Ok((Self::MySql(link), ip));
        }
        let (link, ip) = postgres::connect(config, tls, address, login, found).await?;
        Ok((Self::Postgres(link), ip))
    }

    /// Asks which kind of server it is.
    pub(super) async fn detect(
        &mut self,
        choice: DialectChoice,
    ) -> Result<Box<dyn Dialect>, Failure> {
        match self {
            Self::Postgres(link) => {
                Ok(dialect::detect(choice, &link.ask_once(dialect::DETECT_SQL).await?)?)
            }
            #[cfg(feature = "mysql")]
            Self::MySql(link) => {
                let answer = link.ask(dialect::mysql::DETECT_SQL).await?;
                Ok(dialect::mysql::detect(choice, &answer)?)
            }
        }
    }

    /// Asks. One that was dropped while it asked must not be used any more.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        match self {
            Self::Postgres(link) => link.ask(sql).await,
            #[cfg(feature = "mysql")]
            Self::MySql(link) => link.ask(sql).await,
        }
    }

    /// Whether it has ended.
    pub(super) fn is_broken(&mut self) -> bool {
        match self {
            Self::Postgres(link) => link.is_broken(),
            #[cfg(feature = "mysql")]
            Self::MySql(link) => link.is_broken(),
        }
    }

    /// Waits until it has ended, and says why.
    ///
    /// # Cancel safety
    ///
    /// Safe: it can be waited for again.
    pub(super) async fn closed(&mut self) -> Failure {
        match self {
            Self::Postgres(link) => link.closed().await,
            #[cfg(feature = "mysql")]
            Self::MySql(link) => link.closed().await,
        }
    }
}
