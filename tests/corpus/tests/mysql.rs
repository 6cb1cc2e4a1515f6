//! A sample of statements of our own against real servers; the suites of the servers are for
//! `cargo xtask corpus`.

use std::path::Path;

use aurora_core::sql::{Rules, SqlDialect, Verdict, classify};
use aurora_corpus::{Truth, mysql};

#[test]
fn a_reader_agrees_with_every_verdict_of_the_sample() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mysql");
    let mut troubles = Vec::new();
    let report = mysql::run(
        &directory,
        |_| true,
        |line| {
            if line.contains(": ") {
                troubles.push(line.to_owned());
            }
        },
    );
    let report = report.expect("the servers run");
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(report.violations().count(), 0, "{report}");
    let missed: Vec<&str> = report.missed().map(|record| record.sql.as_str()).collect();
    // They depend on the session's use of a sequence, and on one instance's prepared transactions.
    let known = ["SELECT LASTVAL(s)", "SELECT PREVIOUS VALUE FOR s", "XA RECOVER"];
    assert_eq!(missed, known, "{report}");
    let count = |truth| report.records().iter().filter(|record| record.truth == truth).count();
    // So that a harness that sees nothing does not pass for a good classifier.
    assert!(count(Truth::Answered) >= 45, "{report}");
    assert!(count(Truth::Refused) >= 20, "{report}");
    assert!(count(Truth::Locks) >= 5, "{report}");
    assert!(count(Truth::ChangesState) >= 20, "{report}");
    assert!(count(Truth::Hidden) >= 1, "{report}");
    assert!(count(Truth::NeedsSession) >= 5, "{report}");
    assert!(count(Truth::Wrong) == 0, "{report}");
}

/// What is hidden in comments, strings and names, and what only seems to be.
#[test]
fn nothing_hidden_in_a_text_is_called_a_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mysql");
    let seed = std::env::var("CORPUS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let texts = std::env::var("CORPUS_TEXTS").ok().and_then(|texts| texts.parse().ok());
    let report = mysql::run_hidden(&directory, seed, texts.unwrap_or(400));
    let report = report.expect("the servers run");
    assert_eq!(report.violations().count(), 0, "{report}");
    let count = |truth| report.records().iter().filter(|record| record.truth == truth).count();
    let forbidden: usize =
        Truth::ALL.into_iter().filter(|truth| truth.forbids_read()).map(count).sum();
    // Most texts are nonsense; enough are not.
    assert!(forbidden >= 20 && count(Truth::Answered) >= 20, "{report}");
    eprintln!("{report}");
}

#[test]
fn every_function_of_the_server_is_known() {
    let functions = mysql::functions().expect("the server lists them");
    assert!(functions.len() > 200, "{functions:?}");
    let strict = Rules::default().unknown_functions_write(true);
    let unknown = functions.iter().filter(|name| {
        let found = classify(SqlDialect::MySql, &format!("SELECT {name}(1)"), &strict);
        found.verdict() == Verdict::Write && found.reason() == "it calls an unknown function"
    });
    assert_eq!(unknown.collect::<Vec<_>>(), [""; 0]);
}
