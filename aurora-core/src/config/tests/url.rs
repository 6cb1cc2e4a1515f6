//! URLs, right and wrong.

use super::super::options::OPTIONS;
use super::super::{Address, Config, Secret};
use super::{blocks, problems};

const GOOD: &str = include_str!("../../../tests/data/config_good.txt");
const BAD: &str = include_str!("../../../tests/data/config_bad.txt");

/// What `config` says about `name`, a part of the URL or an option.
fn text(config: &Config, name: &str) -> String {
    match name {
        "family" => config.family().scheme().to_owned(),
        "addresses" => {
            let addresses: Vec<String> =
                config.addresses().iter().map(Address::to_string).collect();
            addresses.join(",")
        }
        "user" => config.user().to_owned(),
        "password" => config.password().map_or("none", Secret::expose).to_owned(),
        "database" => config.database().to_owned(),
        option => {
            let spec = OPTIONS.iter().find(|spec| spec.name == option);
            (spec.expect("an option of the table").text)(&config.0.values)
        }
    }
}

#[test]
fn good_urls_mean_what_the_table_says() {
    let mut seen: Vec<&str> = Vec::new();
    for (url, expectations) in blocks(GOOD) {
        let config = Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        for expectation in expectations {
            let (name, expected) = expectation.split_once('=').expect("name = value");
            seen.push(name.trim());
            assert_eq!(text(&config, name.trim()), expected.trim(), "{name} of {url}");
        }
    }
    for option in OPTIONS {
        assert!(seen.iter().filter(|name| **name == option.name).count() > 1, "{}", option.name);
    }
}

#[test]
fn bad_urls_have_exactly_the_problems_of_the_table() {
    for (line, expected) in blocks(BAD) {
        let url = if line == "(empty)" { "" } else { line };
        assert_eq!(problems(Config::builder().url(url)), expected, "{url}");
    }
}

#[test]
fn a_problem_found_twice_is_listed_once() {
    let url = "postgres://app@db/shop?sslmode=allow";
    assert_eq!(problems(Config::builder().url(url).url(url)).len(), 1);
}

#[test]
fn every_shown_url_is_a_url_again() {
    for (url, _) in blocks(GOOD) {
        let config = Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let shown = config.redacted_url().replace("[redacted]", "x");
        let again = Config::from_url(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
        for name in ["family", "addresses", "user", "database"] {
            assert_eq!(text(&config, name), text(&again, name), "{name} of {shown}");
        }
        for option in OPTIONS.iter().filter(|option| option.name != "options") {
            let name = option.name;
            assert_eq!(text(&config, name), text(&again, name), "{name} of {shown}");
        }
    }
}

#[test]
fn any_text_is_either_a_configuration_or_problems() {
    // Every URL of the tables, cut off everywhere and with every character replaced.
    let mut count = 0_usize;
    for (url, _) in blocks(GOOD).into_iter().chain(blocks(BAD)) {
        for (at, character) in url.char_indices() {
            let (before, after) = (&url[..at], &url[at + character.len_utf8()..]);
            for other in ["@", "/", "%"] {
                for text in [format!("{before}{other}"), format!("{before}{other}{after}")] {
                    match Config::from_url(&text) {
                        Ok(config) => assert!(!config.addresses().is_empty(), "{text}"),
                        Err(error) => assert!(!error.message().is_empty(), "{text}"),
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count > 10_000, "{count}");
}
