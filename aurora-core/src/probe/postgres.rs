//! A monitoring connection to PostgreSQL: TCP, TLS, startup, authentication, questions.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Column, Row, SimpleQueryMessage, Statement};

use super::{Failure, Tls};
use crate::config::{Address, Config, TlsMode};
use crate::credentials::Login;
use crate::dialect::Answer;
use crate::engine::FailureKind;
use crate::names::reach;

/// Dropping it closes the connection.
pub(super) struct PostgresLink {
    client: Client,
    /// Ends when the connection does; its result says why.
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
    /// `None` where the server keeps no plans for us.
    plans: Option<Plans>,
}

impl PostgresLink {
    /// Asks what is asked once, in one statement or several.
    pub(super) async fn ask_once(&self, sql: &str) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    let names = columns.iter().map(|column| column.name().to_owned());
                    answer = Answer::new(names.collect());
                }
                SimpleQueryMessage::Row(row) => {
                    (0..row.len()).for_each(|index| answer.push(row.get(index)));
                }
                // Command completions; the enum is open.
                _ => {}
            }
        }
        Ok(answer)
    }

    /// Asks what is asked again and again, one statement whose columns are texts and truth values.
    ///
    /// The server plans it once: to plan a probe takes it six times as long as to answer it
    /// (`pgbench -M prepared` and `-M simple`, PostgreSQL 15: 0.11 and 0.64 ms).
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        if let Some(plans) = &mut self.plans {
            match plans.ask(&self.client, sql).await {
                Err(error) if is_forgotten(&error) => self.plans = None,
                answered => return Ok(answered?),
            }
        }
        self.ask_once(sql).await
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

/// What was asked before, as the server has planned it.
#[derive(Default)]
struct Plans(Vec<Plan>);

struct Plan {
    sql: String,
    statement: Statement,
    columns: Arc<[String]>,
}

impl Plans {
    async fn ask(&mut self, client: &Client, sql: &str) -> Result<Answer, tokio_postgres::Error> {
        let place = match self.0.iter().position(|plan| plan.sql == sql) {
            Some(place) => place,
            None => {
                self.0.push(Plan::make(client, sql).await?);
                self.0.len() - 1
            }
        };
        let Plan { statement, columns, .. } = &self.0[place];
        let rows = client.query(statement, &[]).await?;
        let mut answer = Answer::new(Arc::clone(columns));
        answer.reserve(rows.len(), rows.iter().map(Row::raw_size_bytes).sum());
        for row in &rows {
            for (index, column) in row.columns().iter().enumerate() {
                answer.push(text(row, index, column)?);
            }
        }
        Ok(answer)
    }
}

impl Plan {
    async fn make(client: &Client, sql: &str) -> Result<Self, tokio_postgres::Error> {
        let statement = client.prepare(sql).await?;
        let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        Ok(Self { sql: sql.to_owned(), statement, columns })
    }
}

/// Whether the server does not know what it was made to plan, or would plan it otherwise now: a
/// pooler in between, or an upgrade. Sources: PostgreSQL documentation, appendix A.
fn is_forgotten(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        let codes = [
            &SqlState::INVALID_SQL_STATEMENT_NAME,
            &SqlState::DUPLICATE_PSTATEMENT,
            &SqlState::FEATURE_NOT_SUPPORTED,
        ];
        codes.contains(&code)
    })
}

/// A value as the server writes it where it is asked for text.
fn text<'a>(
    row: &'a Row,
    index: usize,
    column: &Column,
) -> Result<Option<&'a str>, tokio_postgres::Error> {
    if *column.type_() == Type::BOOL {
        let value: Option<bool> = row.try_get(index)?;
        return Ok(value.map(|value| if value { "t" } else { "f" }));
    }
    row.try_get(index)
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
    Ok((PostgresLink { client, connection, plans: Some(Plans::default()) }, ip))
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
) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), Failure> {
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
) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), Failure>
where
    T: TlsConnect<TcpStream>,
    T::Stream: Send + 'static,
{
    let (client, connection) = settings.connect_raw(stream, tls).await?;
    Ok((client, tokio::spawn(connection)))
}
