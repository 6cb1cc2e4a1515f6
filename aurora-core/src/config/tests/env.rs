//! The environment, as pairs: tests never change the environment of the process.

use std::time::Duration;

use super::super::options::OPTIONS;
use super::super::{Config, ConfigBuilder, PolicyKind, Secret};
use super::problems;
use crate::error::Error;

const URL: (&str, &str) = ("AURORA_URL", "postgres://app:one@db/shop?policy=random");

fn with(variables: &[(&str, &str)]) -> ConfigBuilder {
    Config::builder().env_from(variables.iter().copied())
}

#[test]
fn our_url_wins_over_the_common_one() -> Result<(), Error> {
    let other = ("DATABASE_URL", "postgres://app@other/shop");
    assert_eq!(with(&[other, URL]).build()?.addresses()[0].host(), "db");
    assert_eq!(with(&[other]).build()?.addresses()[0].host(), "other");
    Ok(())
}

#[test]
fn variables_override_the_url() -> Result<(), Error> {
    let config = with(&[
        URL,
        ("AURORA_POLICY", "least-connections"),
        ("AURORA_CONNECT_TIMEOUT", "7s"),
        ("AURORA_USER", "other"),
        ("AURORA_PASSWORD", "p@ss/%41"),
        ("AURORA_DATABASE", "stock"),
        ("PATH", "/bin"),
        ("AURORA_CLUSTER_ARN", "arn:of:somebody:else"),
    ])
    .build()?;
    assert_eq!(config.policy(), PolicyKind::LeastConnections);
    assert_eq!(config.connect_timeout(), Duration::from_secs(7));
    assert_eq!((config.user(), config.database()), ("other", "stock"));
    let password = config.password().map(Secret::expose);
    assert_eq!(password, Some("p@ss/%41"), "no percent-encoding outside URLs");
    Ok(())
}

#[test]
fn every_option_has_its_variable() {
    for option in OPTIONS {
        let name = option.variable();
        let config = with(&[URL]).build().unwrap_or_else(|error| panic!("{error}"));
        let text = (option.text)(&config.0.values);
        // A text that is empty by default is given one.
        let text = if text.is_empty() { "x".to_owned() } else { text };
        let builder = with(&[URL, (&name, &text), ("AURORA_SSLMODE", "verify-full")]);
        assert!((option.is_set)(&builder.settings), "{name}");
        let config = builder.build().unwrap_or_else(|error| panic!("{name}: {error}"));
        if option.name != "sslmode" {
            assert_eq!((option.text)(&config.0.values), text, "{name}");
        }
    }
}

#[test]
fn problems_name_the_variable() {
    let found = problems(with(&[
        ("DATABASE_URL", "postgres://db/shop?policy=best"),
        ("AURORA_CONNECT_TIMEOUT", "5"),
        ("AURORA_FRESHNES", "strong"),
        ("AURORA_IDLE_TIMEOUT", ""),
        ("AURORA_PASSWORD", ""),
    ]));
    let expected = [
        "DATABASE_URL, option `policy`: `best` is not one of `least-connections`, `random`, \
         `round-robin`",
        "AURORA_PASSWORD is empty: unset it or give it a value",
        "AURORA_CONNECT_TIMEOUT: `5` has no unit; write `5s` or `5ms`",
        "AURORA_IDLE_TIMEOUT is empty: unset it or give it a value",
        "AURORA_FRESHNES is no variable of ours: did you mean AURORA_FRESHNESS?",
        "no user is given, and none is guessed: write it in the URL, as in \
         postgres://user@host/database",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_empty_url_is_one_problem() {
    let expected = ["AURORA_URL is empty: unset it or give it a value"];
    assert_eq!(problems(with(&[("AURORA_URL", "")])), expected);
}

#[test]
fn no_variable_at_all_says_which_to_set() {
    let found = problems(with(&[]));
    assert!(found[0].contains("AURORA_URL or DATABASE_URL"), "{found:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_a_problem() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let pair = |name: &str, bytes: &[u8]| {
        super::super::env::readable((name.into(), OsString::from_vec(bytes.to_vec())))
    };
    assert_eq!(pair("A", b"b"), ("A".to_owned(), Some("b".to_owned())));
    let mut builder = Config::builder();
    let variables = [pair(URL.0, URL.1.as_bytes()), pair("AURORA_PASSWORD", b"\xffhunter2")];
    super::super::env::apply(&mut builder, &variables.into_iter().collect());
    let expected = ["AURORA_PASSWORD is not Unicode: unset it or set it anew"];
    assert_eq!(problems(builder), expected);
}
