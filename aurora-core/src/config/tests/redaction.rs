//! A planted password never comes out again.

use super::super::{Config, Secret};
use super::blocks;
use crate::error::Error;

const PLANTED: &str = "hunter2";
const BAD: &str = include_str!("../../../tests/data/config_bad.txt");

/// Everything printable about a URL, whether it is right or wrong.
fn printed(url: &str) -> String {
    let builder = Config::builder().url(url);
    let before = format!("{builder:?} {builder:#?}");
    match builder.build() {
        Ok(config) => format!("{before} {config:?} {config:#?} {}", config.redacted_url()),
        Err(error) => format!("{before} {error} {error:?} {error:#?}"),
    }
}

#[test]
fn no_wrong_url_of_the_table_shows_its_password() {
    let planted: Vec<&str> =
        blocks(BAD).into_iter().map(|(url, _)| url).filter(|url| url.contains(PLANTED)).collect();
    assert!(planted.len() >= 15, "{}", planted.len());
    for url in planted {
        assert!(!printed(url).contains(PLANTED), "{url}: {}", printed(url));
    }
}

#[test]
fn a_damaged_url_does_not_show_its_password() {
    let url = "postgres://app:hunter2@db1:5432,[::1]:5433/shop?policy=random&freshness=strong";
    let end = url.find('@').unwrap_or_default();
    let mut count = 0;
    for (at, _) in url.char_indices() {
        for other in ["", "@", "/", "?", "#", "%", "%zz", ":", "[", "]", ",", "&", "=", " ", "ä"] {
            let inside = "postgres://app".len() < at && at < end;
            let cut = format!("{}{other}", &url[..at]);
            let replaced = format!("{}{other}{}", &url[..at], &url[at + 1..]);
            let inserted = format!("{}{other}{}", &url[..at], &url[at..]);
            for damaged in [cut, replaced, inserted] {
                // Without the colon it is not a password, but part of the user name.
                let user = Config::builder().url(&damaged).user;
                if user.is_some_and(|user| user.contains(PLANTED)) {
                    continue;
                }
                let printed = printed(&damaged);
                assert!(!printed.contains(PLANTED), "{damaged}: {printed}");
                // The halves of a password that was torn in two.
                if inside {
                    assert!(!printed.contains("hunt"), "{damaged}: {printed}");
                    assert!(!printed.contains("nter2"), "{damaged}: {printed}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn a_right_url_shows_everything_else() -> Result<(), Error> {
    let config = Config::from_url(
        "postgres://a%40b:hunter2@DB,[::1]:6/s%20p?options=-c%20k%3Dhunter2&freshness=bounded:60s",
    )?;
    assert_eq!(
        config.redacted_url(),
        "postgres://a%40b:[redacted]@db:5432,[::1]:6/s%20p?options=[redacted]&freshness=bounded:1m"
    );
    let debug = format!("{config:?}");
    assert!(debug.contains("password: Some([redacted])"), "{debug}");
    assert!(debug.contains("options: [redacted]"), "{debug}");
    assert!(debug.contains("connect_timeout: 2s"), "{debug}");
    assert!(!debug.contains(PLANTED), "{debug}");
    let without = Config::from_url("postgres://app@db/shop")?;
    assert_eq!(without.redacted_url(), "postgres://app@db:5432/shop");
    Ok(())
}

#[test]
fn a_builder_and_the_environment_hide_it_too() {
    let builder = Config::builder()
        .env_from([("AURORA_URL", "postgres://app@db/shop"), ("AURORA_PASSWORD", PLANTED)])
        .options(PLANTED);
    assert!(!format!("{builder:?}").contains(PLANTED));
    let error = builder.connect_timeout(std::time::Duration::ZERO).build().expect_err("zero");
    assert!(!format!("{error} {error:?}").contains(PLANTED));
}

#[test]
fn a_secret_shows_nothing() {
    let secret = Secret::from(PLANTED.to_owned());
    assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "[redacted] [redacted] [redacted]");
    assert_eq!(Secret::from(PLANTED).expose(), PLANTED);
}
