//! The classifier against real servers: a sample of the corpus, what ORMs render, and the catalogue.

use std::path::Path;

use aurora_corpus::{Report, Truth, postgres};

fn judged(directory: &str, at_least: usize) -> Report {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(directory);
    let report = postgres::run(&directory, &[], |_| {});
    let report = report.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    println!("{report}");
    assert!(report.records().len() >= at_least, "the scripts were run");
    report
}

/// The scripts of the sample are about what must not be a read, so more of what could be one is
/// taken for something else than in the whole suite (`cargo xtask corpus`).
#[test]
fn no_statement_of_the_sample_is_a_read_that_must_not_be() {
    let report = judged("postgres", 2000);
    assert_eq!(report.violations().count(), 0, "{report}");
    assert!(report.reads_found() > 0.85, "{report}");
}

#[test]
fn what_orms_render_is_judged_rightly() {
    let report = judged("orm", 800);
    assert!(report.is_good(), "{report}");
}

#[test]
fn every_volatile_function_of_the_server_is_known() {
    let table = include_str!("../../../aurora-core/src/sql/postgres/functions/volatile.txt");
    let judged = |name: &str| {
        let mut lines = table.lines().map(|line| line.split(" | "));
        lines
            .find_map(|mut columns| (columns.next() == Some(name)).then(|| columns.next()))
            .flatten()
    };
    let functions = postgres::volatile_functions().unwrap();
    assert!(functions.len() > 200);
    let mut called = 0;
    for function in &functions {
        let verdict = judged(&function.name);
        assert!(verdict.is_some(), "{} is not in volatile.txt", function.name);
        called += usize::from(function.truth.is_some());
        if function.truth.is_some_and(Truth::forbids_read) {
            assert_ne!(verdict, Some("read"), "{function:?}");
        }
    }
    assert!(called > 20, "{called} were called");
}
