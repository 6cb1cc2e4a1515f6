//! `cargo xtask test`: everything that has to pass before a change is merged.

use std::time::Instant;

use crate::faults::catalogue;
use crate::scratch::Scratch;
use crate::step::{Step, StepError};
use crate::{examples, moto, packages, planted};

type Work = fn() -> Result<(), StepError>;

/// The steps, the quick ones first.
const STEPS: [(&str, Work); 9] = [
    ("format", format),
    ("lints", lints),
    ("features apart", features_apart),
    ("no AWS by default", no_aws_by_default),
    ("tests", tests),
    ("tests, optimised", optimised_tests),
    ("documentation tests", documentation_tests),
    ("examples", examples::run),
    ("documentation", documentation),
];

/// Runs all steps; the first failure ends it.
pub(crate) fn run() -> Result<(), StepError> {
    packages::install_missing()?;
    moto::install_missing()?;
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
    for features in ["iam", "mysql", "rds-api", "secrets-manager"] {
        let what = ["--package", "aurora-core", "--features", features, "--", "-D", "warnings"];
        Step::cargo("clippy").args(what).run()?;
    }
    for features in ["postgres", "mysql", "async-postgres", "async-mysql"] {
        let what = ["--package", "aurora-diesel", "--no-default-features", "--features", features];
        Step::cargo("clippy").args(what).args(["--", "-D", "warnings"]).run()?;
    }
    for features in ["mysql", "postgres", "mysql,schema-sync", "postgres,schema-sync"] {
        let what = ["--package", "aurora-seaorm", "--no-default-features", "--features", features];
        Step::cargo("clippy").args(what).args(["--", "-D", "warnings"]).run()?;
    }
    Ok(())
}

/// Who does not use AWS's APIs builds nothing of its SDK, and only one provider of cryptography is
/// built in any case.
fn no_aws_by_default() -> Result<(), StepError> {
    for package in ["aurora-core", "aurora-diesel", "aurora-seaorm"] {
        let common = ["--package", package, "--edges", "normal", "--prefix", "none"];
        let plain = Step::cargo("tree").args(common).output()?;
        let full = Step::cargo("tree").args(common).args(["--all-features"]).output()?;
        let named = |tree: &[u8], is: fn(&str) -> bool| {
            let tree = String::from_utf8_lossy(tree);
            tree.lines().find(|line| is(line)).map(ToOwned::to_owned)
        };
        let aws = named(&plain, |line| line.starts_with("aws-"));
        let lc = named(&full, |line| line.starts_with("aws-lc") || line.starts_with("openssl "));
        if let Some(found) = aws.or(lc) {
            return Err(StepError::Other(format!("{package} pulls in {found}")));
        }
    }
    Ok(())
}

/// Unit, data-driven and real-cluster tests; nextest runs them with the deadlines and limits of
/// `.config/nextest.toml`.
fn tests() -> Result<(), StepError> {
    if Step::cargo("nextest").args(["--version"]).succeeds() {
        let what = ["run", "--workspace", "--all-features", "--filterset"];
        let filter = catalogue::filter_for_every_change();
        let logs = Scratch::make("logs")?;
        let step = Step::cargo("nextest").args(what).args([filter]);
        step.env("AURORA_TEST_LOGS", &logs.path().to_string_lossy()).run()?;
        return planted::search(logs.path());
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
    // Not what talks to AWS: compiling its libraries once more would be most of the time.
    let features = ["--features", "aurora-core/simulation,aurora-core/fuzzing,aurora-core/mysql"];
    Step::cargo("test").args(what).args(features).args(["--lib", "--bins", "--tests"]).run()
}

fn documentation_tests() -> Result<(), StepError> {
    Step::cargo("test").args(["--workspace", "--all-features", "--doc"]).run()
}

fn documentation() -> Result<(), StepError> {
    let what = ["--workspace", "--all-features", "--no-deps"];
    Step::cargo("doc").args(what).env("RUSTDOCFLAGS", "-D warnings").run()
}
