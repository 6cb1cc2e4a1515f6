//! The monitor's own connections: one per instance, with a deadline on every step.

mod connect;
mod failure;
mod resolve;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;

pub(crate) use self::connect::{settings, start};
pub(crate) use self::failure::Failure;
pub(crate) use self::resolve::resolve;
pub(crate) use self::tls::Tls;
use crate::config::{Address, Config};
use crate::dialect::{self, Answer, Dialect};
use crate::engine::{FailureKind, Members, Report};

/// One open monitoring connection.
pub(crate) struct Session {
    client: tokio_postgres::Client,
    dialect: Box<dyn Dialect>,
    ip: IpAddr,
    /// Ends when the connection does; its result says why.
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
}

/// What monitors share: how to reach an instance.
#[derive(Clone)]
pub(crate) struct Prober {
    config: Config,
    tls: Arc<Tls>,
}

impl Prober {
    pub(crate) fn new(config: Config) -> Result<Self, crate::Error> {
        let tls = Arc::new(Tls::new(config.sslmode(), config.sslrootcert())?);
        Ok(Self { config, tls })
    }

    /// How long making a connection may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout()
    }

    /// How connections to the cluster are encrypted.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Opens a monitoring connection to `address` within `connect_timeout`, all steps together.
    pub(crate) async fn open(&self, address: &Address) -> Result<Session, Failure> {
        let timeout = self.config.connect_timeout();
        let open = async {
            let (client, connection, ip) =
                connect::connect(&self.config, &self.tls, address).await?;
            let answer = ask(&client, dialect::DETECT_SQL).await?;
            let dialect = dialect::detect(self.config.dialect(), &answer)?;
            Ok(Session { client, dialect, ip, connection })
        };
        let opened = tokio::time::timeout(timeout, open).await;
        opened.unwrap_or_else(|_| Err(Failure::silent(address, timeout)))
    }
}

impl Session {
    /// Asks the instance about itself. Without a deadline: the caller has one.
    pub(crate) async fn ask(&self) -> Result<Report, Failure> {
        let report = self.report().await?;
        Ok(Report { ip: Some(self.ip), ..report })
    }

    /// Asks for everything; where that fails because of the topology, for the instance itself.
    async fn report(&self) -> Result<Report, Failure> {
        let failure = match ask(&self.client, self.dialect.probe_sql()).await {
            Ok(answer) => return Ok(self.dialect.report(&answer)?),
            Err(failure) => failure,
        };
        let (Some(fault), Some(sql)) = (failure.fault_of_topology(), self.dialect.own_sql()) else {
            return Err(failure);
        };
        let own = self.dialect.report(&ask(&self.client, sql).await?)?;
        Ok(Report { members: Members::Refused(fault.into()), ..own })
    }

    /// Which dialect the server was found to speak.
    pub(crate) fn dialect(&self) -> &'static str {
        self.dialect.name()
    }

    /// Waits until the connection has ended, and says why.
    pub(crate) async fn closed(&mut self) -> Failure {
        match (&mut self.connection).await {
            Ok(Ok(())) => Failure::new(FailureKind::Reset, "the server closed the connection"),
            Ok(Err(error)) => Failure::from(error).into_reset(),
            Err(_) => Failure::new(FailureKind::Reset, "the connection task ended"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn ask(client: &tokio_postgres::Client, sql: &str) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    for message in client.simple_query(sql).await? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                answer.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|index| row.get(index).map(str::to_owned));
                answer.rows.push(values.collect());
            }
            // Command completions; the enum is open.
            _ => {}
        }
    }
    Ok(answer)
}
