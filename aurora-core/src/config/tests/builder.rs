//! The builder: overrides, and settings that only code can give.

use std::time::Duration;

use super::super::{
    Address, Config, DialectChoice, Freshness, PolicyKind, RootCertificates, TlsMode,
    UnknownFunctions,
};
use super::{complete, problems};
use crate::endpoint::HostPattern;
use crate::error::Error;

#[test]
fn every_setter_reaches_its_accessor() -> Result<(), Error> {
    let pattern: HostPattern = "?.db.example.com".parse()?;
    let second = Duration::from_secs(1);
    let config = complete()
        .sslmode(TlsMode::VerifyFull)
        .sslrootcert(std::path::PathBuf::from("/ca.pem"))
        .application_name("shop")
        .options("-c a=b")
        .dialect(DialectChoice::Postgres)
        .instance_host_pattern(pattern.clone())
        .freshness(Freshness::Bounded(second))
        .policy(PolicyKind::Random)
        .reader_fallback(false)
        .unknown_functions(UnknownFunctions::Write)
        .read_functions(["f"])
        .write_functions(vec!["g".to_owned()])
        .connect_timeout(3 * second)
        .failover_timeout(Duration::ZERO)
        .probe_interval(4 * second)
        .failover_interval(2 * second)
        .detection_time(9 * second)
        .max_idle_per_instance(7)
        .idle_timeout(8 * second)
        .max_lifetime(9 * second)
        .keepalive_idle(10 * second)
        .tcp_user_timeout(11 * second)
        .rds_refresh(12 * second)
        .build()?;
    assert_eq!(config.sslmode(), TlsMode::VerifyFull);
    assert_eq!(config.sslrootcert(), &RootCertificates::File("/ca.pem".into()));
    assert_eq!((config.application_name(), config.options()), ("shop", "-c a=b"));
    assert_eq!(config.dialect(), DialectChoice::Postgres);
    assert_eq!(config.instance_host_pattern(), Some(&pattern));
    assert_eq!(config.freshness(), Freshness::Bounded(second));
    assert_eq!(config.policy(), PolicyKind::Random);
    assert!(!config.reader_fallback());
    assert_eq!(config.unknown_functions(), UnknownFunctions::Write);
    assert_eq!(
        (config.read_functions(), config.write_functions()),
        (&["f".to_owned()][..], &["g".to_owned()][..])
    );
    assert_eq!(config.connect_timeout(), 3 * second);
    assert_eq!(config.failover_timeout(), Duration::ZERO);
    assert_eq!(config.probe_interval(), 4 * second);
    assert_eq!(config.failover_interval(), 2 * second);
    assert_eq!(config.detection_time(), 9 * second);
    assert_eq!(config.probe_timeout(), 5 * second);
    assert_eq!(config.max_idle_per_instance(), 7);
    assert_eq!(config.idle_timeout(), 8 * second);
    assert_eq!(config.max_lifetime(), Some(9 * second));
    assert_eq!(config.keepalive_idle(), 10 * second);
    assert_eq!(config.tcp_user_timeout(), 11 * second);
    assert_eq!(config.rds_refresh(), Some(12 * second));
    Ok(())
}

#[test]
fn the_last_word_counts() -> Result<(), Error> {
    let config = Config::builder()
        .url("postgres://app:old@a,b/shop?policy=random&max_lifetime=5m")
        .policy(PolicyKind::LeastConnections)
        .max_lifetime(None)
        .user("other")
        .password("new")
        .build()?;
    assert_eq!(config.policy(), PolicyKind::LeastConnections);
    assert_eq!(config.max_lifetime(), None);
    assert_eq!(config.user(), "other");
    assert_eq!(config.password().map(|password| password.expose().to_owned()), Some("new".into()));
    assert_eq!(config.addresses(), [Address::new("a", 5432), Address::new("b", 5432)]);

    let config = Config::builder()
        .address("c", 1)
        .policy(PolicyKind::LeastConnections)
        .url("postgres://app@a/shop?policy=random")
        .build()?;
    assert_eq!(config.policy(), PolicyKind::Random);
    assert_eq!(config.addresses(), [Address::new("a", 5432)]);

    let config = complete().addresses([Address::new("x", 1)]).address("y", 2).build()?;
    assert_eq!(config.addresses(), [Address::new("x", 1), Address::new("y", 2)]);
    Ok(())
}

#[test]
fn a_builder_is_checked_like_a_url() {
    let year = Duration::from_secs(366 * 24 * 3600);
    let found = problems(
        Config::builder()
            .address("d b", 0)
            .user("")
            .database("a\0")
            .password("\0")
            .failover_timeout(year)
            .freshness(Freshness::Bounded(Duration::MAX))
            .max_lifetime(Duration::ZERO)
            .probe_interval(Duration::from_micros(9999))
            .read_functions(["", "f()"]),
    );
    let expected = [
        "host 1: the host name has other characters than letters, digits, `.`, `-` and `_`; \
         remove them",
        "host 1: the port is 0: write a port from 1 to 65535",
        "no user is given, and none is guessed: write it in the URL, as in \
         postgres://user@host/database",
        "the database contains a NUL character: remove it",
        "the password contains a NUL character: remove it",
        "max_lifetime is zero: write `none` for no limit",
        "freshness is longer than a year: write less",
        "failover_timeout is longer than a year: write less",
        "probe_interval is 9999us: it must be at least `10ms`",
        "failover_interval (10ms) is longer than probe_interval (9999us): lower \
         failover_interval or raise probe_interval",
        "read_functions: `` is not the name of a function: write names such as `now` or \
         `app.touch`, without parentheses",
        "read_functions: `f()` is not the name of a function: write names such as `now` or \
         `app.touch`, without parentheses",
    ];
    assert_eq!(found, expected);
}

#[test]
fn nothing_at_all_lacks_three_things() {
    let found = problems(Config::builder());
    let lacks: Vec<bool> = ["no host", "no user", "no database"]
        .iter()
        .zip(&found)
        .map(|(start, problem)| problem.starts_with(start))
        .collect();
    assert_eq!((lacks, found.len()), (vec![true; 3], 3), "{found:?}");
    assert_eq!(problems(complete().addresses([])).len(), 1);
}

#[test]
fn a_clone_is_the_same_configuration() -> Result<(), Error> {
    let config = complete().build()?;
    let clone = config.clone();
    assert!(std::ptr::eq(config.addresses(), clone.addresses()), "shared, not copied");
    Ok(())
}
