//! The documentation is made from the table of options; `UPDATE_DOCS=1` writes it anew.

use std::fs;

use super::super::options::OPTIONS;
use super::super::table::{OptionSpec, distance};
use super::super::{Config, ConfigBuilder, libpq};
use crate::error::Error;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/OPTIONS.md");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
const START: &str = "<!-- options: made from the source by the tests -->\n";
const END: &str = "<!-- end of options -->\n";

/// Compares `path` with what it should be, or writes it.
fn compare(path: &str, found: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, expected).expect("the documentation can be written");
    } else {
        assert_eq!(found, expected, "{path} is stale: run this test with UPDATE_DOCS=1");
    }
}

#[test]
fn the_table_in_the_api_documentation_is_up_to_date() {
    let found = fs::read_to_string(TABLE).expect("OPTIONS.md");
    compare(TABLE, &found, &ConfigBuilder::describe_options());
}

#[test]
fn the_configuration_page_is_up_to_date() {
    let found = fs::read_to_string(PAGE).expect("docs/configuration.md");
    let (head, rest) = found.split_once(START).expect("the start of the table");
    let (_, tail) = rest.split_once(END).expect("the end of the table");
    let expected = format!("{head}{START}\n{}\n{END}{tail}", ConfigBuilder::describe_options());
    compare(PAGE, &found, &expected);
}

#[test]
fn every_description_names_the_default_in_force() -> Result<(), Error> {
    let config = Config::from_url("postgres://app@db/shop")?;
    for option in OPTIONS {
        let text = (option.text)(&config.0.values);
        let (_, default) = option.doc.split_once("Default: ").expect(option.name);
        let found = match text.as_str() {
            "" => default.starts_with("none."),
            text => default.contains(&format!("`{text}`")),
        };
        assert!(found, "{}: {text} is not in {default}", option.name);
        assert!(!option.doc.contains('|'), "{}: would break the table", option.name);
    }
    Ok(())
}

#[test]
fn every_value_is_read_again_from_its_text() -> Result<(), Error> {
    let url = "postgres://app@a.XYZ.us-east-2.rds.amazonaws.com/shop";
    let config = Config::from_url(url)?;
    for option in OPTIONS {
        let text = (option.text)(&config.0.values);
        let mut builder = Config::builder().url(url);
        (option.set)(&mut builder.settings, &text).expect(option.name);
        assert_eq!((option.text)(&builder.build()?.0.values), text, "{}", option.name);
    }
    Ok(())
}

#[test]
fn names_are_distinct_and_not_those_of_others() {
    for (index, option) in OPTIONS.iter().enumerate() {
        let name = option.name;
        assert!(OPTIONS[..index].iter().all(|other| other.name != name), "{name} twice");
        assert!(libpq::remedy(name).is_none(), "{name} is refused");
        assert!(OptionSpec::find(name).is_some_and(|found| found.name == name), "{name}");
    }
}

#[test]
fn the_distance_counts_letters() {
    for (left, right, expected) in
        [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("a", "a", 0)]
    {
        assert_eq!(distance(left, right), expected, "{left} {right}");
        assert_eq!(distance(right, left), expected, "{right} {left}");
    }
}
