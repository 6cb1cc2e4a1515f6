//! The commands of this repository, run as `cargo xtask <command>`.
//!
//! This program links no database library, so that it starts on a machine that has nothing but
//! Rust, and installs the rest.

mod examples;
mod packages;
mod step;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::step::{Step, StepError};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The commands of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a bank on a local cluster while its writer is killed, and check its ledger
    #[command(disable_help_flag = true)]
    Demo {
        /// Options of the demo; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run everything that has to pass: format, lints, tests on real clusters, examples, documents
    Test,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { options } => demo(options),
        Command::Test => test::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: Vec<String>) -> Result<(), StepError> {
    if !options.iter().any(|option| option == "--help" || option == "-h") {
        packages::install_missing()?;
    }
    eprintln!("building the demo");
    Step::cargo("build").args(["--package", "aurora-demo"]).printing_to_stderr().run()?;
    Step::cargo("run").args(["--quiet", "--package", "aurora-demo", "--"]).args(options).run()
}
