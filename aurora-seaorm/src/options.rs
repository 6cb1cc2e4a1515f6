//! What sqlx gets told about one instance.

use std::fmt::Write as _;

use aurora_core::{Config, Instance, Login, RootCertificates, TlsMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Everything but the address and the login; `given` is what SeaORM has made of the user's own options.
pub(crate) fn base(given: Option<PgConnectOptions>, config: &Config) -> PgConnectOptions {
    let application = given.as_ref().and_then(|given| given.get_application_name());
    let application = application.unwrap_or(config.application_name()).to_owned();
    let mut options = match given {
        Some(given) if config.options().is_empty() => given,
        given => {
            let given = given.as_ref().and_then(PgConnectOptions::get_options).unwrap_or_default();
            with_session_parameters(&format!("{} {given}", config.options()))
        }
    };
    options = options
        .database(config.database())
        .application_name(&application)
        .ssl_mode(ssl_mode(config));
    if let RootCertificates::File(path) = config.sslrootcert() {
        options = options.ssl_root_cert(path);
    }
    if let Some(pem) = config.sslrootcert().built_in() {
        options = options.ssl_root_cert_from_pem(pem.into());
    }
    options
}

/// The user and the password.
pub(crate) fn with_login(base: PgConnectOptions, login: &Login) -> PgConnectOptions {
    let base = base.username(login.user());
    match login.password() {
        Some(password) => base.password(password.expose()),
        None => base,
    }
}

/// The address: the one at which the monitor reached the instance, unless the certificate must
/// name the host, which sqlx compares with what it connects to.
pub(crate) fn at(base: PgConnectOptions, config: &Config, instance: &Instance) -> PgConnectOptions {
    let base = base.port(instance.address().port());
    match instance.ip() {
        Some(ip) if config.sslmode() != TlsMode::VerifyFull => base.host(&ip.to_string()),
        Some(_) | None => base.host(instance.address().host()),
    }
}

/// Session parameters in libpq's form, handed over as they are: only sqlx's URL takes them so.
fn with_session_parameters(text: &str) -> PgConnectOptions {
    let text = text.trim();
    if text.is_empty() {
        return PgConnectOptions::new_without_pgpass();
    }
    let mut url = "postgres://localhost/?options=".to_owned();
    for byte in text.bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(url, "%{byte:02X}");
    }
    url.parse().unwrap_or_else(|_| PgConnectOptions::new_without_pgpass())
}

fn ssl_mode(config: &Config) -> PgSslMode {
    match config.sslmode() {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(query: &str) -> Config {
        Config::from_url(&format!("postgres://app:secret@a:6543/shop?{query}")).unwrap()
    }

    #[test]
    fn the_configuration_is_handed_over_whole() {
        let config = config("sslmode=require&application_name=web&options=-c%20geqo%3Doff");
        let options = base(None, &config);
        assert_eq!(options.get_database(), Some("shop"));
        assert_eq!(options.get_application_name(), Some("web"));
        assert_eq!(options.get_options(), Some("-c geqo=off"));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
    }

    #[test]
    fn what_the_user_told_seaorm_stays() {
        let given = PgConnectOptions::new_without_pgpass()
            .application_name("mine")
            .options([("statement_timeout", "5000")]);
        let kept = base(Some(given.clone()), &config(""));
        assert_eq!(kept.get_application_name(), Some("mine"));
        assert_eq!(kept.get_options(), Some("-c statement_timeout=5000"));
        let both = base(Some(given), &config("options=-c%20geqo%3Doff"));
        assert_eq!(both.get_options(), Some("-c geqo=off -c statement_timeout=5000"));
    }
}
