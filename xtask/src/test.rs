//! `cargo xtask test`: everything that has to pass before a change is merged.

use std::time::Instant;

use crate::step::{Step, StepError};
use crate::{examples, packages};

type Work = fn() -> Result<(), StepError>;

/// The steps, the quick ones first.
const STEPS: [(&str, Work); 6] = [
    ("format", format),
    ("lints", lints),
    ("tests", tests),
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
    let what = ["--workspace", "--all-targets", "--", "-D", "warnings"];
    Step::cargo("clippy").args(what).run()
}

/// Unit, data-driven and real-cluster tests; nextest runs them with the deadlines and limits of
/// `.config/nextest.toml`.
fn tests() -> Result<(), StepError> {
    if Step::cargo("nextest").args(["--version"]).succeeds() {
        return Step::cargo("nextest").args(["run", "--workspace"]).run();
    }
    eprintln!("cargo-nextest is not installed: using cargo test");
    // The examples are built and run by a step of their own. Two at a time, as with nextest:
    // more clusters would make each other late.
    let what = ["--workspace", "--lib", "--bins", "--tests", "--", "--test-threads", "2"];
    Step::cargo("test").args(what).run()
}

fn documentation_tests() -> Result<(), StepError> {
    Step::cargo("test").args(["--workspace", "--doc"]).run()
}

fn documentation() -> Result<(), StepError> {
    let what = ["--workspace", "--no-deps"];
    Step::cargo("doc").args(what).env("RUSTDOCFLAGS", "-D warnings").run()
}
