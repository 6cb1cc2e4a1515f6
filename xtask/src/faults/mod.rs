//! `cargo xtask faults`: the fault catalogue, run.

pub(crate) mod catalogue;
mod engine;
mod report;
mod rows;
mod run;

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::Value;

use self::catalogue::{ADAPTERS, Engine, Fault};
use self::run::Asked;
use crate::packages;
use crate::step::{Step, StepError};

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");

const DETECTION_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/detection.md");

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The servers that the faults happen to
    #[arg(long, value_enum, default_value_t = Engine::Postgres)]
    engine: Engine,
    /// Only this adapter: `diesel_r2d2`, `bb8`, `deadpool` or `seaorm`; may be repeated
    #[arg(long = "adapter", value_parser = ADAPTERS)]
    adapters: Vec<String>,
    /// Only this fault, such as `A1`; may be repeated
    #[arg(long = "fault")]
    faults: Vec<String>,
    /// Print the results as a JSON array, in the last line
    #[arg(long)]
    json: bool,
    /// Write the engine's part of the page `docs/faults.md`, or `docs/detection.md`; for all faults and adapters only
    #[arg(long, conflicts_with_all = ["adapters", "faults"])]
    write: bool,
    /// Measure how soon silence, resets and crashes are found out, and whether an instance that is
    /// merely slow is left alone
    #[arg(long, conflicts_with_all = ["adapters", "faults"])]
    detection: bool,
    /// How often each is measured
    #[arg(long, default_value_t = 5, requires = "detection")]
    runs: u32,
}

/// Runs the faults that are asked for and prints what became of them.
pub(crate) fn run(options: Options) -> Result<(), StepError> {
    let faults = chosen(&options.faults)?;
    packages::install_missing()?;
    if options.detection {
        return detection(&options);
    }
    if !Step::cargo("nextest").args(["--version"]).succeeds() {
        let text = "cargo-nextest is needed: `cargo install --locked cargo-nextest`";
        return Err(StepError::Other(text.to_owned()));
    }
    let everything = options.faults.is_empty() && options.adapters.is_empty();
    let asked = Asked { engine: options.engine, faults, adapters: options.adapters, everything };
    let results = run::run(&asked)?;
    print!("{}", report::table(&results));
    if options.write {
        write_page(&asked, &results)?;
    }
    if options.json {
        println!("{}", Value::from(results.clone()));
    }
    match results.iter().filter(|result| result["verdict"] == "broke").count() {
        0 => Ok(()),
        count => Err(StepError::Other(format!("{count} promises were broken"))),
    }
}

/// Runs the program that measures, which needs real servers.
fn detection(options: &Options) -> Result<(), StepError> {
    eprintln!("building the measurement");
    let what = ["--package", "aurora-tests", "--bin", "detection"];
    Step::cargo("build").args(what).printing_to_stderr().run()?;
    let runs = options.runs.to_string();
    let mut step = Step::cargo("run").args(["--quiet"]).args(what);
    step = step.args(["--", "--runs", runs.as_str()]);
    if options.json {
        step = step.args(["--json"]);
    }
    if options.write {
        step = step.args(["--page", DETECTION_PAGE]);
    }
    step.run()
}

/// The faults with these numbers; all if there is none.
fn chosen(numbers: &[String]) -> Result<Vec<&'static Fault>, StepError> {
    if numbers.is_empty() {
        return Ok(catalogue::all().collect());
    }
    let find = |number: &String| {
        let found = catalogue::all().find(|fault| fault.id.eq_ignore_ascii_case(number));
        found.ok_or_else(|| StepError::Other(format!("there is no fault {number}")))
    };
    numbers.iter().map(find).collect()
}

/// Writes one engine's part; the other's stays as it is.
fn write_page(asked: &Asked<'_>, results: &[Value]) -> Result<(), StepError> {
    let date = Step::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    let date = String::from_utf8_lossy(&date).trim().to_owned();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let head = format!(
        "Made by `cargo xtask faults{} --write` on {date}: {} servers on one machine with \
         {processors} processors, unoptimised build.",
        asked.engine.option(),
        asked.engine.servers()
    );
    let path = Path::new(PAGE);
    let failed = |error| StepError::Other(format!("{}: {error}", path.display()));
    let before = fs::read_to_string(path).map_err(failed)?;
    let part = report::part(asked.engine, &asked.faults, results, &head);
    fs::write(path, report::page(&before, asked.engine, &part)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_chosen_by_their_numbers() {
        assert_eq!(chosen(&[]).unwrap().len(), catalogue::all().count());
        let some = chosen(&["b4".to_owned(), "A1".to_owned()]).unwrap();
        assert_eq!(some.iter().map(|fault| fault.id).collect::<Vec<_>>(), ["B4", "A1"]);
        assert!(chosen(&["Z9".to_owned()]).is_err());
    }
}
