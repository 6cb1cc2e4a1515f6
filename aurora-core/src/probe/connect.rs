//! Opening a connection: TCP, TLS, startup, authentication.

use std::net::IpAddr;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};

use super::{Failure, Tls};
use crate::config::{Address, Config, TlsMode};
use crate::credentials::Login;
use crate::names::reach;

pub(super) type Opened =
    (tokio_postgres::Client, JoinHandle<Result<(), tokio_postgres::Error>>, IpAddr);

/// Connects to the one of `found`, the addresses of `address`, that lets us first. The caller holds
/// the deadline.
pub(super) async fn connect(
    config: &Config,
    tls: &Tls,
    address: &Address,
    login: &Login,
    found: Vec<IpAddr>,
) -> Result<Opened, Failure> {
    let (stream, ip) = reach(found, address.port()).await?;
    // A delayed small packet would look like a slow instance.
    let _ = stream.set_nodelay(true);
    let settings = settings(config, login, &format!("{} monitor", config.application_name()));
    let (client, connection) = start(&settings, tls, address, stream).await?;
    Ok((client, connection, ip))
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
            let connector = connector.map_err(|error| {
                Failure::new(crate::engine::FailureKind::Other, format!("TLS: {error}"))
            })?;
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
