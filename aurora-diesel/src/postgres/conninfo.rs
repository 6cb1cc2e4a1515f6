//! The connection string libpq gets for one instance.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use aurora_core::{Cluster, Config, Instance, Login, TlsMode};

use crate::roots;

/// Everything libpq has to know, as `key='value'` pairs.
///
/// `hostaddr` is the address at which the monitor reached the instance: no name is resolved on
/// the caller's thread, and a stale name leads nowhere. `host` stays for the certificate.
///
/// `user_timeout` is `tcp_user_timeout`, with the mark by which the socket is found again.
pub(super) fn conninfo(
    cluster: &Cluster,
    instance: &Instance,
    login: &Login,
    timeout: Duration,
    user_timeout: Duration,
) -> io::Result<String> {
    let config = cluster.config();
    let mut text = String::with_capacity(256);
    let mut add = |key: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{key}='{value}' ");
    };
    add("host", instance.address().host());
    if let Some(ip) = instance.ip() {
        add("hostaddr", &ip.to_string());
    }
    add("port", &instance.address().port().to_string());
    add("user", login.user());
    add("dbname", config.database());
    if let Some(password) = login.password() {
        add("password", password.expose());
    }
    add("application_name", config.application_name());
    add("sslmode", sslmode(config.sslmode()));
    if let Some(path) = roots::file(cluster)? {
        add("sslrootcert", &path.to_string_lossy());
    }
    if !config.options().is_empty() {
        add("options", config.options());
    }
    // libpq counts whole seconds, and takes one for two.
    add("connect_timeout", &timeout.as_secs_f64().ceil().max(2.0).to_string());
    keepalive(config, user_timeout, &mut add);
    Ok(text)
}

/// What bounds a statement on a host that has vanished: keepalives while it waits for an answer,
/// `tcp_user_timeout` while it sends.
fn keepalive(config: &Config, user_timeout: Duration, add: &mut impl FnMut(&str, &str)) {
    add("tcp_user_timeout", &user_timeout.as_millis().to_string());
    let idle = config.keepalive_idle();
    if idle.is_zero() {
        add("keepalives", "0");
    } else {
        add("keepalives_idle", &idle.as_secs_f64().ceil().to_string());
        add("keepalives_interval", "1");
        add("keepalives_count", "3");
    }
}

fn sslmode(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    }
}
