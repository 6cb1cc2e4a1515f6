//! A monitoring connection to PostgreSQL: TCP, TLS, startup, authentication, questions.

use std::net::IpAddr;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};

use super::{Failure, Tls};
use crate::config::{Address, Config, TlsMode};
use crate::credentials::Login;
use crate::dialect::Answer;
use crate::engine::FailureKind;
use crate::names::reach;

/// Dropping it closes the connection.
pub(super) struct PostgresLink {
    client: tokio_postgres::Client,
    /// Ends when the connection does; its result says why.
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl PostgresLink {
    pub(super) async fn ask(&self, sql: &str) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    answer.columns =
                        columns.iter().map(|column| column.name().to_owned()).collect();
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

    pub(super) fn is_broken(&self) -> bool {
        self.connection.is_finished()
    }

    pub(super) async fn closed(&mut self) -> Failure {
        match (&mut self.connection).await {
            Ok(Ok(())) => Failure::new(FailureKind::Reset, "the server closed the connection"),
            Ok(Err(error)) => Failure::from(error).into_reset(),
            Err(_) => Failure::new(FailureKind::Reset, "the connection task ended"),
        }
    }
}

impl Drop for PostgresLink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Connects to the one of `found`, the addresses of `address`, that lets us first. The caller holds
/// the deadline.
pub(super) async fn connect(
    config: &Config,
    tls: &Tls,
    address: &Address,
    login: &Login,
    found: Vec<IpAddr>,
) -> Result<(PostgresLink, IpAddr), Failure> {
    let (stream, ip) = reach(found, address.port()).await?;
    // A delayed small packet would look like a slow instance.
    let _ = stream.set_nodelay(true);
    let settings = settings(config, login, &format!("{} monitor", config.application_name()));
    let (client, connection) = start(&settings, tls, address, stream).await?;
    Ok((PostgresLink { client, connection }, ip))
}

/// What the server is told of every connection of ours.
pub(crate) fn settings(
    config: &Config,
    login: &Login,
    application_name: &str,
) -> tokio_postgres::Config {
    let mut settings = tokio_postgres::Config::new();
    settings.user(login.user()).dbname(config.database());
    settings.application_name(application_name);
    if let Some(password) = login.password() {
        settings.password(password.expose());
    }
    settings.ssl_mode(match config.sslmode() {
        TlsMode::Disable => tokio_postgres::config::SslMode::Disable,
        TlsMode::Prefer => tokio_postgres::config::SslMode::Prefer,
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => {
            tokio_postgres::config::SslMode::Require
        }
    });
    settings
}

/// Agrees on TLS and logs in; the connection is driven by a task of the present runtime.
pub(crate) async fn start(
    settings: &tokio_postgres::Config,
    tls: &Tls,
    address: &Address,
    stream: TcpStream,
) -> Result<(tokio_postgres::Client, JoinHandle<Result<(), tokio_postgres::Error>>), Failure> {
    match tls.connector() {
        Some(mut connector) => {
            let connector =
                MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, address.host());
            let connector = connector
                .map_err(|error| Failure::new(FailureKind::Other, format!("TLS: {error}")))?;
            finish(settings, stream, connector).await
        }
        None => finish(settings, stream, NoTls).await,
    }
}

async fn finish<T>(
    settings: &tokio_postgres::Config,
    stream: TcpStream,
    tls: T,
) -> Result<(tokio_postgres::Client, JoinHandle<Result<(), tokio_postgres::Error>>), Failure>
where
    T: TlsConnect<TcpStream>,
    T::Stream: Send + 'static,
{
    let (client, connection) = settings.connect_raw(stream, tls).await?;
    Ok((client, tokio::spawn(connection)))
}
