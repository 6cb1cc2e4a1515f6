//! `cargo xtask fuzz`: the fuzzers of `fuzz/`, each for a bounded time.
//!
//! Without a sanitizer: the code under test has no `unsafe`, and so the stable compiler does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::step::{Step, StepError};

const INSTALL: &str = "cargo-fuzz is not installed; run `cargo install cargo-fuzz --locked` (it needs \
                       a C++ compiler, as from the Debian package g++)";

/// No input may take longer than so many seconds.
const SLOWEST: u32 = 10;

/// How long inputs are at most: rules that need more text than that are not found by chance.
const LONGEST: u32 = 2048;

/// How much of what a fuzzer wrote is shown when it finds something.
const SHOWN: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long each fuzzer runs
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Run this one only
    #[arg(long)]
    target: Option<String>,
}

/// Runs the fuzzers one after the other; an error names what they found.
pub(crate) fn run(options: &Options) -> Result<(), StepError> {
    let all = targets()?;
    let chosen = |target: &&String| options.target.as_ref().is_none_or(|one| one == *target);
    let chosen: Vec<&String> = all.iter().filter(chosen).collect();
    if chosen.is_empty() {
        return Err(StepError::Other(format!("there are the fuzzers {}", all.join(", "))));
    }
    if !Step::cargo("fuzz").args(["--version"]).succeeds() {
        return Err(StepError::Other(INSTALL.to_owned()));
    }
    eprintln!("building the fuzzers");
    fuzzer("build").printing_to_stderr().run()?;
    println!("| fuzzer | inputs | seconds | found |");
    println!("|---|--:|--:|---|");
    let mut findings = Vec::new();
    for target in chosen {
        let begin = Instant::now();
        let found = fuzz(target, options.seconds)?;
        let (inputs, seconds) = (&found.inputs, begin.elapsed().as_secs());
        let word = if found.is_good { "nothing" } else { "SOMETHING" };
        println!("| {target} | {inputs} | {seconds} | {word} |");
        if !found.is_good {
            findings.push(found.words(target));
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(StepError::Other(findings.join("\n")))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// `cargo fuzz` with what all its commands need.
fn fuzzer(command: &str) -> Step {
    let step = Step::cargo("fuzz").args([command, "--sanitizer", "none", "--fuzz-dir"]);
    step.args([directory()])
}

/// The names of all fuzzers.
fn targets() -> Result<Vec<String>, StepError> {
    let names = names_in(&directory().join("fuzz_targets"))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".rs")).map(str::to_owned).collect())
}

/// What is in a directory, by name.
fn names_in(directory: &Path) -> Result<BTreeSet<String>, StepError> {
    let wrong = |error| StepError::Other(format!("{}: {error}", directory.display()));
    let entries = fs::read_dir(directory).map_err(wrong)?.filter_map(Result::ok);
    Ok(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// What came of one fuzzer.
struct Found {
    is_good: bool,
    inputs: String,
    told: String,
    /// Inputs that were kept because of what they found.
    kept: Vec<PathBuf>,
}

fn fuzz(target: &str, seconds: u64) -> Result<Found, StepError> {
    let place = |what: &str| directory().join(what).join(target);
    let (corpus, artifacts) = (place("corpus"), place("artifacts"));
    for made in [&corpus, &artifacts] {
        let wrong = |error| StepError::Other(format!("{}: {error}", made.display()));
        fs::create_dir_all(made).map_err(wrong)?;
    }
    let before = names_in(&artifacts)?;
    let step = fuzzer("run").args([target]).args([corpus, place("seeds")]).args([
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOWEST}"),
        format!("-max_len={LONGEST}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let (is_good, told) = step.told()?;
    let inputs = executed(&told).unwrap_or("?").to_owned();
    let kept = names_in(&artifacts)?.difference(&before).map(|name| artifacts.join(name)).collect();
    Ok(Found { is_good, inputs, told, kept })
}

/// How many inputs were run, as libFuzzer says at its end.
fn executed(told: &str) -> Option<&str> {
    let line = told.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.map(str::trim)
}

impl Found {
    fn words(&self, target: &str) -> String {
        let lines: Vec<&str> = self.told.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
        let mut words = format!("{last}\nthe fuzzer {target} found something");
        for input in &self.kept {
            let input = input.canonicalize().unwrap_or_else(|_| input.clone());
            let input = input.display();
            words.push_str("; the input is kept, and run again by:\n  ");
            words.push_str(&format!("cargo fuzz run --sanitizer none {target} {input}"));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzzer_has_seeds_and_its_own_name() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 5, "{targets:?}");
        let manifest = fs::read_to_string(directory().join("Cargo.toml")).unwrap();
        for target in targets {
            assert!(!names_in(&directory().join("seeds").join(&target)).unwrap().is_empty());
            let source = directory().join("fuzz_targets").join(format!("{target}.rs"));
            let source = fs::read_to_string(source).unwrap();
            assert!(source.contains(&format!("run(\"{target}\", data)")), "{source}");
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        }
    }

    #[test]
    fn a_finding_says_how_to_run_it_again() {
        assert_eq!(executed("x\nstat::number_of_executed_units: 17\n"), Some("17"));
        let kept = vec![PathBuf::from("artifacts/rows/crash-1")];
        let (inputs, told) = (String::new(), "panicked".to_owned());
        let words = Found { is_good: false, inputs, told, kept }.words("rows");
        let command = "cargo fuzz run --sanitizer none rows artifacts/rows/crash-1";
        assert!(words.starts_with("panicked") && words.ends_with(command), "{words}");
    }
}
