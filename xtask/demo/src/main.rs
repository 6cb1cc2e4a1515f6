//! A bank under load while its writer is killed: what `cargo xtask demo` runs.
//!
//! Eight threads of one application move money between pgbench's accounts, or look at them,
//! through an ORM's pool. Meanwhile the writer is killed with `kill -9`, and later a planned
//! switchover happens. In the end every write the application was told about is looked up in the
//! database.

mod adapters;
mod failover;
mod faults;
mod ledger;
mod options;
mod repeat;
mod report;
mod run;
mod score;
mod screen;
mod servers;
mod stage;
mod steady;
mod view;
mod workload;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::options::Options;
use crate::screen::Screen;

fn main() -> ExitCode {
    let options = match Options::parse().check() {
        Ok(options) => options,
        Err(problem) => {
            Options::command().error(clap::error::ErrorKind::ValueValidation, problem).exit()
        }
    };
    let mut screen = Screen::new(options.json);
    let mut reports = Vec::new();
    for number in 1..=options.repeat {
        if options.repeat > 1 {
            screen.line(format!("run {number} of {}", options.repeat));
        }
        match run::run(&options, &mut screen) {
            Ok(report) => {
                screen.line("");
                report.lines().iter().for_each(|line| screen.line(line));
                reports.push(report);
            }
            Err(error) => {
                screen.line(format!("the demo could not be run: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    if options.repeat > 1 {
        screen.line("");
        repeat::lines(&reports).iter().for_each(|line| screen.line(line));
    }
    if options.json && writeln!(std::io::stdout(), "{}", repeat::to_json(&reports)).is_err() {
        return ExitCode::FAILURE;
    }
    let passed = reports.iter().all(|report| report.problems().is_empty());
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
