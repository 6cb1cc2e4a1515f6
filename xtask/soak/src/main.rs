//! All adapters under load and random faults, for as long as wanted: what `cargo xtask soak` runs.
//!
//! Diesel with r2d2, diesel-async with bb8 and SeaORM share one cluster handle. Their workers
//! write, read and run transactions while something happens to the servers or to the network every
//! 5 to 30 seconds. What happens follows from a seed. In the end every write is looked up.

mod fault;
mod ledger;
mod options;
mod perform;
mod plan;
mod progress;
mod report;
mod run;
mod score;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::options::Options;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Report;

/// Why a run could not go on.
type Failed = Box<dyn Error + Send + Sync>;

/// How long threads that hang may keep the process.
const END: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = Options::parse();
    let mut progress = Progress::new();
    match soak(&options, &mut progress) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress.line(format!("the run could not go on: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs, reports, and tells whether all promises were kept.
fn soak(options: &Options, progress: &mut Progress) -> Result<bool, Failed> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let plan = Plan::new(seed, options.only);
    progress.line(format!("seed {seed}; to repeat this: --seed {seed}"));
    print_plan(plan.clone(), options.minutes, progress);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(run::run(plan, options.minutes, progress));
    runtime.shutdown_timeout(END);
    print(&report?, seed, options.json, progress)
}

/// What is going to happen at the earliest.
fn print_plan(plan: Plan, length: Duration, progress: &mut Progress) {
    let mut at = Duration::ZERO;
    for strike in plan {
        at += strike.pause;
        if at > length {
            return;
        }
        progress.line(format!("  at {:.0} s or later, fault {strike}", at.as_secs_f64()));
    }
}

/// The table, and last the JSON; the table goes to standard error when standard output is for JSON.
fn print(report: &Report, seed: u64, json: bool, progress: &mut Progress) -> Result<bool, Failed> {
    use std::io::Write as _;
    let lines = report.lines();
    let mut out = std::io::stdout();
    if json {
        lines.iter().for_each(|line| progress.line(line));
        writeln!(out, "{}", report.to_json(seed))?;
    } else {
        writeln!(out, "{}", lines.join("\n"))?;
    }
    Ok(report.problems().is_empty())
}
