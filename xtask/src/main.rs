//! The commands of this repository, run as `cargo xtask <command>`.
//!
//! This program links no database library, so that it starts on a machine that has nothing but
//! Rust, and installs the rest.

mod bench;
mod examples;
mod faults;
mod fuzz;
mod moto;
mod mutate;
mod packages;
mod planted;
mod scratch;
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
    /// Run our adapters beside the stock pools of the same ORMs through the same faults
    #[command(disable_help_flag = true)]
    Compare {
        /// Options of the comparison; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Let random faults happen to all adapters at once for minutes or hours, and check the ledger
    #[command(disable_help_flag = true)]
    Soak {
        /// Options of the run; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Write and read again through every adapter while readers lag, and look for stale reads
    #[command(disable_help_flag = true)]
    Freshness {
        /// Options of the run; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Break the engine in many small ways, and see whether the specification notices
    Mutate {
        /// Only mutations that have this text in their file or description
        #[arg(default_value = "")]
        filter: String,
    },
    /// Measure what the layer costs, beside the bare ORMs and in instructions
    Bench(bench::Options),
    /// Bring about every fault of the catalogue against every adapter, and print what became of it
    Faults(faults::Options),
    /// Give the parsers, the classifier and the engine inputs that a fuzzer makes up
    Fuzz(fuzz::Options),
    /// Live the simulation: a model cluster with faults, one life per seed
    #[command(disable_help_flag = true)]
    Sim {
        /// Options of the simulation; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Judge the classifier of SQL by what real servers make of their own regression suites
    #[command(disable_help_flag = true)]
    Corpus {
        /// Options of the run; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run everything that has to pass: format, lints, tests on real clusters, examples, documents
    Test,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { options } => program("aurora-demo", "the demo", options),
        Command::Compare { options } => program("aurora-compare", "the comparison", options),
        Command::Soak { options } => program("aurora-soak", "the soak test", options),
        Command::Freshness { options } => program("aurora-freshness", "the freshness run", options),
        Command::Corpus { options } => program("aurora-corpus", "the corpus", options),
        Command::Mutate { filter } => mutate::run(&filter),
        Command::Bench(options) => bench::run(&options),
        Command::Faults(options) => faults::run(options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Sim { options } => simulate(options),
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

/// Builds the simulation with optimisation, as it lives very many seeds, and runs it.
fn simulate(options: Vec<String>) -> Result<(), StepError> {
    eprintln!("building the simulation");
    let what = ["--release", "--package", "aurora-sim"];
    Step::cargo("build").args(what).printing_to_stderr().run()?;
    Step::cargo("run").args(["--quiet"]).args(what).args(["--"]).args(options).run()
}

/// Builds a program of this workspace that needs real servers, and runs it.
fn program(package: &str, name: &str, options: Vec<String>) -> Result<(), StepError> {
    if !options.iter().any(|option| option == "--help" || option == "-h") {
        packages::install_missing()?;
    }
    eprintln!("building {name}");
    Step::cargo("build").args(["--package", package]).printing_to_stderr().run()?;
    Step::cargo("run").args(["--quiet", "--package", package, "--"]).args(options).run()
}
