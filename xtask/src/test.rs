//! `cargo xtask test`: everything that has to pass before a change is merged.

use std::time::Instant;

use crate::faults::catalogue;
use crate::step::{Step, StepError};
use crate::{examples, packages};

type Work = fn() -> Result<(), StepError>;

/// The steps, the quick ones first.
const STEPS: [(&str, Work); 8] = [
    ("format", format),
    ("lints", lints),
    ("features apart", features_apart),
    ("tests", tests),
    ("tests, optimised", optimised_tests),
    ("documentation tests", documentation_tests),
    ("examples", examples::run),
    ("documentation", documentation),
];

/// Runs all steps; the first failure ends it.
pub(crate) fn run() -> Result<(), StepError> {
    packages::install_missing()?;
    let begin = Instant::now();
    for (name, work) in STEPS {
        eprintln!("==== {name}");
        let start = Instant::now();
        let result = work();
        let word = if result.is_ok() { "passed" } else { "FAILED" };
        eprintln!("==== {name}: {word} in {:.1} s", start.elapsed().as_secs_f64());
        result?;
    }
    eprintln!("==== everything passed in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn format() -> Result<(), StepError> {
    Step::cargo("fmt").args(["--all", "--check"]).run()
}

fn lints() -> Result<(), StepError> {
    let what = ["--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    Step::cargo("clippy").args(what).run()
}

/// What a user may switch on alone has to compile alone.
fn features_apart() -> Result<(), StepError> {
    for features in ["postgres", "async-postgres"] {
        let what = ["--package", "aurora-diesel", "--no-default-features", "--features", features];
        Step::cargo("clippy").args(what).args(["--", "-D", "warnings"]).run()?;
    }
    Ok(())
}

/// Unit, data-driven and real-cluster tests; nextest runs them with the deadlines and limits of
/// `.config/nextest.toml`.
fn tests() -> Result<(), StepError> {
    if Step::cargo("nextest").args(["--version"]).succeeds() {
        let what = ["run", "--workspace", "--all-features", "--filterset"];
        let filter = catalogue::filter_for_every_change();
        return Step::cargo("nextest").args(what).args([filter]).run();
    }
    eprintln!("cargo-nextest is not installed: using cargo test");
    // The examples are built and run by a step of their own. Two at a time, as with nextest:
    // more clusters would make each other late.
    let what = ["--workspace", "--all-features", "--lib", "--bins", "--tests"];
    Step::cargo("test").args(what).args(["--", "--test-threads", "2"]).run()
}

/// What users run is optimised, and a compiler's mistake shows there only: it did once, in the
/// rules of a session.
fn optimised_tests() -> Result<(), StepError> {
    let what = ["--release", "--package", "aurora-core", "--package", "aurora-sim"];
    Step::cargo("test").args(what).args(["--all-features", "--lib", "--bins", "--tests"]).run()
}

fn documentation_tests() -> Result<(), StepError> {
    Step::cargo("test").args(["--workspace", "--all-features", "--doc"]).run()
}

fn documentation() -> Result<(), StepError> {
    let what = ["--workspace", "--all-features", "--no-deps"];
    Step::cargo("doc").args(what).env("RUSTDOCFLAGS", "-D warnings").run()
}
