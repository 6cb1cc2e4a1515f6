//! What must hold between the settings, whoever gave them.

use std::net::IpAddr;
use std::time::Duration;

use super::address::{Address, host_problem};
use super::builder::ConfigBuilder;
use super::choices::{Family, Freshness, RootCertificates, TlsMode};
use super::options::{Settings, Values};
use super::problems::Problems;
use super::value::{OptionValue, quoted};
use crate::credentials::{Choice, choose};

/// The shortest pause between probes: more often is load and tells nothing more.
const SHORTEST: Duration = Duration::from_millis(10);

/// Shorter than this, an instance would be lost to a hiccup.
const SHORTEST_DETECTION: Duration = Duration::from_millis(100);

/// The longest duration: far from where adding it to a point in time overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Finds out who provides the credentials, unless a provider was given.
pub(super) fn source(builder: &mut ConfigBuilder, values: &Values) {
    let choice = Choice {
        method: values.auth,
        secret: values.secret.as_deref(),
        username_key: &values.secret_username_key,
        password_key: &values.secret_password_key,
        region: values.region.as_deref(),
        endpoint_url: values.aws_endpoint_url.as_deref(),
    };
    match (choose(&choice), builder.credentials.is_some()) {
        (Ok(None), _) => {}
        (_, true) => builder.problems.add(
            format!("auth is `{}`, and a provider of credentials is given", values.auth.text()),
            "remove one",
        ),
        (Ok(chosen), false) => builder.credentials = chosen,
        (Err((what, remedy)), false) => builder.problems.add(what, remedy),
    }
}

/// Checks addresses, user, password and database.
pub(super) fn parts(builder: &mut ConfigBuilder) {
    let problems = &mut builder.problems;
    let missing = !builder.url_is_unusable;
    let scheme = builder.family.scheme();
    let looked_up = matches!(&builder.settings.cluster_id, Some(Some(id)) if !id.is_empty());
    match &builder.addresses {
        None if looked_up => {}
        None if missing => problems.add(
            "no host is given",
            format!(
                "write it in the URL, as in {scheme}://user@host:{}/database, and the URL in \
                 AURORA_URL or DATABASE_URL if it comes from the environment",
                builder.family.default_port()
            ),
        ),
        None => {}
        Some(addresses) => {
            for (index, entry) in addresses.iter().enumerate() {
                address(entry, index + 1, problems);
            }
        }
    }
    let remedy = format!("write it in the URL, as in {scheme}://user@host/database");
    let named = [(&builder.user, "user"), (&builder.database, "database")];
    let has_source = builder.credentials.is_some();
    if has_source && builder.password.is_some() {
        problems.add("a password and another source of credentials are given", "remove one");
    }
    for (part, name) in named {
        match part.as_deref() {
            None | Some("") if name == "user" && has_source => {}
            None | Some("") if missing => {
                problems.add(format!("no {name} is given, and none is guessed"), &remedy);
            }
            Some(text) if text.contains('\0') => nul(&format!("the {name}"), problems),
            None | Some(_) => {}
        }
    }
    if builder.password.as_ref().is_some_and(|password| password.expose().contains('\0')) {
        nul("the password", problems);
    }
}

/// Checks the address at `place`, counted from one. It is not quoted: whoever writes a whole URL
/// in the place of a host may write a password.
fn address(address: &Address, place: usize, problems: &mut Problems) {
    let is_ip = address.host().parse::<IpAddr>().is_ok();
    if let Some(problem) = host_problem(address.host()).filter(|_| !is_ip) {
        problems.add(format!("host {place}"), problem);
    }
    if address.port() == 0 {
        problems.add(format!("host {place}: the port is 0"), "write a port from 1 to 65535");
    }
}

/// A NUL ends a text in the protocol.
fn nul(name: &str, problems: &mut Problems) {
    problems.add(format!("{name} contains a NUL character"), "remove it");
}

/// Checks the options.
pub(super) fn options(family: Family, given: &Settings, values: &Values, problems: &mut Problems) {
    fits(family, values, problems);
    rds(values, problems);
    tls(given, values, problems);
    durations(values, problems);
    if values.connect_rate == Some(0) {
        problems.add("connect_rate is zero", "write `none` for no limit");
    }
    probes(values, problems);
    functions(values, problems);
    for (name, text) in
        [("application_name", &values.application_name), ("options", &values.options)]
    {
        if text.contains('\0') {
            nul(name, problems);
        }
    }
}

/// Checks that the options mean something to servers of the family.
fn fits(family: Family, values: &Values, problems: &mut Problems) {
    if values.dialect.family().is_some_and(|own| own != family) {
        problems.add(
            format!("dialect `{}` is not one of {}://", values.dialect.text(), family.scheme()),
            "remove it, or write the scheme of those servers",
        );
    }
    if family == Family::MySql && !values.options.is_empty() {
        problems.add(
            "`options` are parameters of PostgreSQL's sessions",
            "remove it, and set variables of the session where connections are made",
        );
    }
}

fn rds(values: &Values, problems: &mut Problems) {
    if values.cluster_id.is_some() && !cfg!(feature = "rds-api") {
        problems.add(
            "aurora.cluster_id needs the feature `rds-api`",
            "switch it on in the Cargo.toml of your program",
        );
    }
    if values.cluster_id.as_deref() == Some("") {
        problems.add("cluster_id is empty", "write the identifier of the cluster");
    }
    if values.rds_refresh.is_some_and(|pause| pause < Duration::from_secs(1)) {
        problems.add("rds_refresh is shorter than `1s`", "write more, or `none` to never ask");
    }
}

fn tls(given: &Settings, values: &Values, problems: &mut Problems) {
    if given.sslrootcert.is_some() && !values.sslmode.verifies() {
        problems.add(
            format!(
                "sslrootcert is given, but sslmode `{}` verifies nothing",
                values.sslmode.text()
            ),
            "write sslmode=verify-full, or remove sslrootcert",
        );
    }
    if values.sslmode == TlsMode::VerifyCa && values.sslrootcert == RootCertificates::System {
        // Anybody can get a certificate from a public authority; libpq refuses this as well.
        problems.add(
            "sslmode `verify-ca` with the system's authorities accepts any public server",
            "write sslmode=verify-full, or name a file in sslrootcert",
        );
    }
}

fn durations(values: &Values, problems: &mut Problems) {
    let bound = match values.freshness {
        Freshness::Bounded(bound) => Some(bound),
        Freshness::Eventual | Freshness::Session | Freshness::Strong => None,
    };
    let zero = "it must be longer than zero";
    let never_zero = [
        ("freshness", bound, "a bound of zero is what `strong` means; write that"),
        ("connect_timeout", Some(values.connect_timeout), zero),
        ("idle_timeout", Some(values.idle_timeout), "write max_idle_per_instance=0 to keep none"),
        ("max_lifetime", values.max_lifetime, "write `none` for no limit"),
    ];
    for (name, value, remedy) in never_zero {
        if value.is_some_and(|value| value.is_zero()) {
            problems.add(format!("{name} is zero"), remedy);
        }
    }
    let others = [
        ("slow_start", values.slow_start),
        ("failover_timeout", values.failover_timeout),
        ("probe_interval", values.probe_interval),
        ("failover_interval", values.failover_interval),
        ("detection_time", values.detection_time),
        ("keepalive_idle", values.keepalive_idle),
        ("rds_refresh", values.rds_refresh.unwrap_or_default()),
        ("tcp_user_timeout", values.tcp_user_timeout),
    ]
    .map(|(name, value)| (name, Some(value), ""));
    for (name, value, _) in never_zero.into_iter().chain(others) {
        if value.is_some_and(|value| value > LONGEST) {
            problems.add(format!("{name} is longer than a year"), "write less");
        }
    }
}

fn probes(values: &Values, problems: &mut Problems) {
    let at_least = [
        ("probe_interval", values.probe_interval),
        ("failover_interval", values.failover_interval),
    ];
    for (name, value) in at_least {
        if value < SHORTEST {
            problems.add(format!("{name} is {}", value.text()), "it must be at least `10ms`");
        }
    }
    let detection = values.detection_time;
    if detection < SHORTEST_DETECTION {
        let text = format!("detection_time is {}", detection.text());
        return problems.add(text, "it must be at least `100ms`");
    }
    let (interval, hurried) = (values.probe_interval, values.failover_interval);
    if interval > detection / 2 {
        problems.add(
            format!(
                "probe_interval ({}) is longer than half of detection_time ({})",
                interval.text(),
                detection.text()
            ),
            "lower probe_interval or raise detection_time",
        );
    }
    if hurried > interval {
        problems.add(
            format!(
                "failover_interval ({}) is longer than probe_interval ({})",
                hurried.text(),
                interval.text()
            ),
            "lower failover_interval or raise probe_interval",
        );
    }
}

fn functions(values: &Values, problems: &mut Problems) {
    let lists =
        [("read_functions", &values.read_functions), ("write_functions", &values.write_functions)];
    for (name, list) in lists {
        for function in list {
            let odd = |c: char| c.is_whitespace() || c.is_control() || "(),;'".contains(c);
            if function.is_empty() || function.contains(odd) {
                problems.add(
                    format!("{name}: {} is not the name of a function", quoted(function)),
                    "write names such as `now` or `app.touch`, without parentheses",
                );
            }
        }
    }
    for function in &values.read_functions {
        if values.write_functions.iter().any(|other| other.eq_ignore_ascii_case(function)) {
            problems.add(
                format!("{} is in read_functions and in write_functions", quoted(function)),
                "remove it from one of them",
            );
        }
    }
}
