//! Our adapters beside the stock pools of the same ORMs: what `cargo xtask compare` runs.
//!
//! For each ORM and each fault a new cluster is started. Our stack and the stock ones write to it
//! at the same time, each to a table of its own, while its writer is killed, vanishes from the
//! network, or is switched over. Then every write is looked up in the database.

mod faults;
mod load;
mod options;
mod progress;
mod report;
mod run;
mod score;
mod servers;
mod stacks;
mod stand;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::options::Options;
use crate::progress::Progress;
use crate::report::Row;

fn main() -> ExitCode {
    let options = Options::parse();
    let mut progress = Progress::new();
    let (rows, all_ran) = run_all(&options, &mut progress);
    let broken: Vec<String> = rows.iter().flat_map(complaints).collect();
    let printed = print(&options, &rows, &broken, &mut progress).is_ok();
    // Threads that a stock pool blocks end with the process.
    if all_ran && printed && broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows, and whether every run could be made; the first that could not ends it.
fn run_all(options: &Options, progress: &mut Progress) -> (Vec<Row>, bool) {
    let mut rows = Vec::new();
    let runs = options.runs();
    for (number, (adapter, fault)) in runs.iter().enumerate() {
        progress.line(format!("run {} of {}: {adapter}, {fault}", number + 1, runs.len()));
        match run::run((options.engine, *adapter), *fault, options.seconds, progress) {
            Ok(more) => rows.extend(more),
            Err(error) => {
                progress.line(format!("the comparison could not be run: {error}"));
                return (rows, false);
            }
        }
    }
    (rows, true)
}

fn complaints(row: &Row) -> Vec<String> {
    let broken = row.broken_promises().into_iter();
    broken.map(|what| format!("FAILED: {}, {}: {what}", row.adapter, row.fault)).collect()
}

/// The table, and last the JSON; the table goes to standard error when standard output is for JSON.
fn print(
    options: &Options,
    rows: &[Row],
    broken: &[String],
    progress: &mut Progress,
) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let mut lines = report::table(rows);
    lines.push(report::legend(options.engine));
    if options.json {
        lines.iter().chain(broken).for_each(|line| progress.line(line));
        return writeln!(out, "{}", report::to_json(rows));
    }
    writeln!(out, "{}", lines.join("\n"))?;
    broken.iter().for_each(|line| progress.line(line));
    Ok(())
}
