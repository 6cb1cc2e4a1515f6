//! Greeting, TLS, login.
//!
//! Source: MySQL, "Client/Server Protocol", "Connection Phase" and "Authentication Methods";
//! MariaDB, "Connecting".
//!
//! A server may ask for the password itself: `caching_sha2_password` does when it does not remember
//! the user, `mysql_clear_password` always does (IAM). The first gets it over TLS only, the second
//! only of a server whose certificate was verified. Without TLS the first would offer a key to
//! encrypt it with, which an impostor can do as well: it is not asked for.

use std::collections::HashMap;

use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse, SslRequest,
};
use mysql_common::proto::MySerialize;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::wire::{Wire, nonsense, read_packet, refusal, write_packet};
use crate::config::{Address, Config, RootCertificates, TlsMode};
use crate::credentials::Login;
use crate::engine::FailureKind;
use crate::probe::failure::NO_TLS;
use crate::probe::{Failure, Tls};

/// What is more than any login takes.
const STEPS: usize = 8;
const LONGEST_PACKET: u32 = 16 * 1024 * 1024;
/// `utf8mb4_general_ci`, in MySQL and MariaDB.
const UTF8MB4: u8 = 45;

/// How far the server is trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Plain,
    Encrypted,
    Verified,
}

/// Does everything from the greeting to the end of the login.
pub(super) async fn log_in(
    mut stream: TcpStream,
    config: &Config,
    tls: &Tls,
    address: &Address,
    login: &Login,
) -> Result<Wire, Failure> {
    let mut next = 0;
    let packet = read_packet(&mut stream, &mut next).await?;
    if packet.first() == Some(&0xFF) {
        return Err(refusal(&packet));
    }
    let greeting: HandshakePacket<'_> =
        ParseBuf(&packet).parse(()).map_err(|_| nonsense("a greeting that cannot be read"))?;
    let mut flags = wanted() & greeting.capabilities();
    let offers = greeting.capabilities().contains(CapabilityFlags::CLIENT_SSL);
    let (mut wire, trust) =
        match tls.client().filter(|_| offers || config.sslmode() != TlsMode::Prefer) {
            Some(_) if !offers => return Err(Failure::new(FailureKind::Tls, NO_TLS)),
            Some(client) => {
                flags.insert(CapabilityFlags::CLIENT_SSL);
                let request = SslRequest::new(flags, LONGEST_PACKET, UTF8MB4);
                write_packet(&mut stream, &mut next, &serialized(&request)).await?;
                let name = ServerName::try_from(address.host().to_owned())
                    .map_err(|_| Failure::new(FailureKind::Tls, "the host has no name for TLS"))?;
                let stream = TlsConnector::from(client).connect(name, stream).await;
                let stream = stream.map_err(|error| Failure::of_socket(&error, "TLS"))?;
                (Wire::new(stream, next), trust(config))
            }
            None => (Wire::new(stream, next), Trust::Plain),
        };
    let mut auth = Auth { login, nonce: greeting.nonce(), plugin: first_plugin(&greeting), trust };
    wire.write(&response(config, &auth, flags)).await?;
    auth.finish(&mut wire).await?;
    Ok(wire)
}

fn wanted() -> CapabilityFlags {
    CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_MULTI_STATEMENTS
        | CapabilityFlags::CLIENT_MULTI_RESULTS
}

fn trust(config: &Config) -> Trust {
    let checks_authority = config.sslmode().verifies()
        || (config.sslmode() == TlsMode::Require
            && matches!(config.sslrootcert(), RootCertificates::File(_)));
    if checks_authority { Trust::Verified } else { Trust::Encrypted }
}

/// What the login begins with: what the server would use, where we can.
fn first_plugin(greeting: &HandshakePacket<'_>) -> AuthPlugin<'static> {
    match greeting.auth_plugin() {
        Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
        Some(_) | None => AuthPlugin::MysqlNativePassword,
    }
}

fn response(config: &Config, auth: &Auth<'_>, flags: CapabilityFlags) -> Vec<u8> {
    let proof = auth.plugin.gen_data(auth.password(), &auth.nonce);
    let name = format!("{} monitor", config.application_name());
    // An attribute is cut off silently where the server keeps no more of it.
    let attributes = HashMap::from([("program_name".to_owned(), name)]);
    let has_attributes = flags.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS);
    serialized(&HandshakeResponse::new(
        proof.as_deref(),
        // Any that knows `utf8mb4`.
        (8, 0, 0),
        Some(auth.login.user().as_bytes()),
        Some(config.database().as_bytes()),
        Some(auth.plugin.borrow()),
        flags,
        has_attributes.then_some(attributes),
        LONGEST_PACKET,
    ))
}

fn serialized(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

/// A login under way.
struct Auth<'a> {
    login: &'a Login,
    nonce: Vec<u8>,
    plugin: AuthPlugin<'static>,
    trust: Trust,
}

impl Auth<'_> {
    fn password(&self) -> Option<&str> {
        self.login.password().map(|password| password.expose())
    }

    /// Answers what the server asks until it lets us in.
    async fn finish(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        for _ in 0..STEPS {
            let packet = wire.read().await?;
            match packet.as_slice() {
                [0x00, ..] => return Ok(()),
                [0xFE, ..] => self.switch(wire, &packet).await?,
                // The server remembers the user; it goes on by itself.
                [0x01, 0x03, ..] if self.is_sha2() => {}
                [0x01, 0x04, ..] if self.is_sha2() => self.tell_password(wire).await?,
                _ => return Err(nonsense("an unknown step of the login")),
            }
        }
        Err(nonsense("a login without end"))
    }

    fn is_sha2(&self) -> bool {
        matches!(self.plugin, AuthPlugin::CachingSha2Password)
    }

    /// The user has another way to log in than the server began with.
    async fn switch(&mut self, wire: &mut Wire, packet: &[u8]) -> Result<(), Failure> {
        let request: AuthSwitchRequest<'_> = match packet {
            [_] => return Err(unsupported("mysql_old_password")),
            _ => {
                ParseBuf(packet).parse(()).map_err(|_| nonsense("an unknown step of the login"))?
            }
        };
        self.plugin = request.auth_plugin().into_owned();
        self.nonce = request.plugin_data().to_vec();
        match &self.plugin {
            AuthPlugin::CachingSha2Password
            | AuthPlugin::MysqlNativePassword
            | AuthPlugin::Ed25519 => {
                let proof = self.plugin.gen_data(self.password(), &self.nonce);
                wire.write(proof.as_deref().unwrap_or_default()).await
            }
            AuthPlugin::MysqlClearPassword if self.trust == Trust::Verified => {
                self.tell_password(wire).await
            }
            AuthPlugin::MysqlClearPassword => Err(Failure::new(
                FailureKind::Tls,
                "the server wants the password itself (mysql_clear_password): set sslmode=verify-full",
            )),
            other => Err(unsupported(&String::from_utf8_lossy(other.as_bytes()))),
        }
    }

    async fn tell_password(&self, wire: &mut Wire) -> Result<(), Failure> {
        if self.trust == Trust::Plain {
            return Err(Failure::new(
                FailureKind::Tls,
                "the server wants the password itself (caching_sha2_password): set sslmode=require, or better verify-full",
            ));
        }
        let mut password = self.password().unwrap_or_default().as_bytes().to_vec();
        password.push(0);
        wire.write(&password).await
    }
}

fn unsupported(plugin: &str) -> Failure {
    let message = format!("the user logs in with {plugin}, which is not supported");
    Failure::new(FailureKind::Authentication, message)
}
