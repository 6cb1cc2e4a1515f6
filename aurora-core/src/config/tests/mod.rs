//! Tests of the whole configuration, driven by the tables under `tests/data`.

mod address;
mod builder;
mod cluster_id;
mod docs;
mod env;
mod redaction;
mod url;

use super::{Config, ConfigBuilder};
use crate::error::ErrorKind;

/// The problems in the error of `builder`, one per line as a URL's author reads them.
fn problems(builder: ConfigBuilder) -> Vec<String> {
    let error = builder.build().expect_err("the configuration is wrong");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let message = error.message();
    if let Some(problem) = message.strip_prefix("the configuration is wrong: ") {
        return vec![problem.to_owned()];
    }
    let mut lines = message.lines();
    let head = lines.next().expect("a first line");
    let problems: Vec<String> = lines
        .enumerate()
        .map(|(index, line)| {
            let number = format!("  {}. ", index + 1);
            line.strip_prefix(&number).expect("a numbered problem").to_owned()
        })
        .collect();
    assert_eq!(head, format!("the configuration has {} problems:", problems.len()));
    problems
}

/// A builder that lacks nothing.
fn complete() -> ConfigBuilder {
    Config::builder().address("db", 5432).user("app").database("shop")
}

/// The blocks of a table: a line, and the indented lines below it.
fn blocks(table: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("  "), blocks.last_mut()) {
            (Some(detail), Some((_, details))) => details.push(detail),
            _ => blocks.push((line, Vec::new())),
        }
    }
    assert!(blocks.iter().all(|(_, details)| !details.is_empty()), "a block asserts nothing");
    blocks
}
