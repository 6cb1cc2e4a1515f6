//! The URL that Diesel gets for one instance.
//!
//! What can be said in it depends on the client library that Diesel is linked with. MySQL's own knows
//! the modes of TLS. MariaDB Connector/C knows them, too, but Diesel cannot tell it: there TLS is on
//! when a file of authorities is given, and off when the server offers none, which is found out after
//! the login only.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use aurora_core::{Cluster, Config, Instance, Login, TlsMode};
use diesel::connection::SimpleConnection as _;
use diesel::mysql::MysqlConnection;
use diesel::result::ConnectionError;

use crate::manager::sealed::NotOpened;
use crate::roots;

/// Whether the library can be told a mode of TLS.
const KNOWS_MODES: bool = mysqlclient_sys::SUPPORTS_MYSQL_SSL_MODE;

/// The URL of `instance`, at the address at which the monitor reached it.
pub(super) fn of(
    cluster: &Cluster,
    instance: &Instance,
    login: &Login,
) -> Result<String, NotOpened> {
    let config = cluster.config();
    let mut text = format!("mysql://{}", encoded(login.user()));
    if let Some(password) = login.password() {
        let _ = write!(text, ":{}", encoded(password.expose()));
    }
    let _ = write!(text, "@{}:{}", host(config, instance)?, instance.address().port());
    if is_plain(config.database()) {
        let _ = write!(text, "/{}", config.database());
    }
    tls(cluster, KNOWS_MODES, &mut text)?;
    Ok(text)
}

/// Chooses the database that Diesel cannot be told in its URL, where it takes names as they are.
pub(super) fn choose_database(
    connection: &mut MysqlConnection,
    config: &Config,
) -> Result<(), NotOpened> {
    if is_plain(config.database()) {
        return Ok(());
    }
    let name = config.database().replace('`', "``");
    connection.batch_execute(&format!("USE `{name}`")).map_err(|error| {
        NotOpened::Refused(ConnectionError::BadConnection(crate::errors::driver_message(&error)))
    })
}

/// Whether a URL writes the name as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~$".contains(&byte))
        && name.bytes().any(|byte| byte != b'.')
}

/// An address, as the monitor verified it; but where the library is to check the certificate's name, it
/// has to be given the name, and looks it up itself.
fn host(config: &Config, instance: &Instance) -> Result<String, NotOpened> {
    let name = instance.address().host();
    if config.sslmode() == TlsMode::VerifyFull && name.parse::<IpAddr>().is_err() {
        if name.eq_ignore_ascii_case("localhost") {
            let text = "the client library takes `localhost` for a socket file, whose server's \
                        certificate is not checked: write an address, or another name";
            return Err(NotOpened::NotPossible(text.to_owned()));
        }
        return Ok(name.to_owned());
    }
    match instance.ip() {
        Some(IpAddr::V4(ip)) => Ok(ip.to_string()),
        Some(IpAddr::V6(ip)) => Ok(format!("[{ip}]")),
        None => {
            let text = format!("{} has not answered yet", instance.address());
            Err(NotOpened::Refused(ConnectionError::BadConnection(text)))
        }
    }
}

/// What the library is told about TLS: never less than was asked for.
fn tls(cluster: &Cluster, knows_modes: bool, text: &mut String) -> Result<(), NotOpened> {
    let mode = cluster.config().sslmode();
    let unwritten = |error| NotOpened::Refused(roots::unwritten(&error));
    let (name, roots) = match mode {
        _ if !knows_modes => {
            let roots = without_modes(mode, || roots::any(cluster).map_err(unwritten))?;
            add_roots(text, '?', roots);
            return Ok(());
        }
        TlsMode::Disable => ("disabled", None),
        TlsMode::Prefer => ("preferred", None),
        TlsMode::Require => ("required", None),
        TlsMode::VerifyCa => ("verify_ca", roots::file(cluster).map_err(unwritten)?),
        TlsMode::VerifyFull => ("verify_identity", roots::file(cluster).map_err(unwritten)?),
    };
    let _ = write!(text, "?ssl_mode={name}");
    add_roots(text, '&', roots);
    Ok(())
}

fn add_roots(text: &mut String, separator: char, roots: Option<PathBuf>) {
    if let Some(path) = roots {
        let _ = write!(text, "{separator}ssl_ca={}", encoded(&path.to_string_lossy()));
    }
}

/// The authorities that MariaDB Connector/C is given. With them it encrypts, and verifies, where the
/// server can; whether it could is asked for on the connection.
fn without_modes(
    mode: TlsMode,
    any: impl FnOnce() -> Result<Option<PathBuf>, NotOpened>,
) -> Result<Option<PathBuf>, NotOpened> {
    match mode {
        TlsMode::Disable | TlsMode::Prefer => Ok(None),
        TlsMode::Require => any(),
        TlsMode::VerifyCa | TlsMode::VerifyFull => Err(NotOpened::NotPossible(format!(
            "sslmode={} cannot be had with MariaDB Connector/C, because Diesel cannot tell it: it \
             would log in to an impostor without TLS; {OTHERWISE}",
            if mode == TlsMode::VerifyCa { "verify-ca" } else { "verify-full" },
        ))),
    }
}

const OTHERWISE: &str = "link MySQL's own client library (mysqlclient-sys with the feature \
                         `bundled`), or use an adapter that needs none";

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_without_modes_never_gives_less_than_was_asked_for() {
        let any = || Ok(Some(PathBuf::from("/a b.pem")));
        let told = |mode| {
            let mut text = String::new();
            add_roots(&mut text, '?', without_modes(mode, any).ok()?);
            Some(text)
        };
        assert_eq!(told(TlsMode::Disable).unwrap(), "");
        assert_eq!(told(TlsMode::Prefer).unwrap(), "");
        assert_eq!(told(TlsMode::Require).unwrap(), "?ssl_ca=%2Fa%20b.pem");
        for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
            let Err(NotOpened::NotPossible(text)) = without_modes(mode, any) else { panic!() };
            assert!(text.contains("bundled"), "{text}");
        }
    }

    #[test]
    fn users_and_passwords_survive_the_url() {
        assert_eq!(encoded("a:b@c/d?e%f ü"), "a%3Ab%40c%2Fd%3Fe%25f%20%C3%BC");
        assert!(is_plain("shop_1-2.3"));
        for name in ["a b", "", "..", "ü", "a%20b", "a/b"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
