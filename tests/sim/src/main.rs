//! `aurora-sim`: lives seeds and prints what came of them; run as `cargo xtask sim`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", about = "Live the simulation, one life of a cluster per seed")]
struct Options {
    /// How many seeds are lived
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Where they begin; without it a fresh place, which is printed
    #[arg(long)]
    base: Option<u64>,
    /// Live this seed alone
    #[arg(long)]
    seed: Option<u64>,
    /// Tell all that happens in the life of the one seed
    #[arg(long, requires = "seed")]
    trace: bool,
    /// End with one line of JSON on standard output
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let summary = match options.seed {
        Some(seed) => one(seed, options.trace),
        None => many(&options),
    };
    for (seed, violation) in summary.violations() {
        eprintln!("seed {seed}: {violation}\n    {}", aurora_sim::replay(*seed));
    }
    let json = summary.to_json();
    // Whoever closed the pipe wants to know no more.
    let _ = match options.json {
        true => writeln!(std::io::stdout(), "{json}"),
        false => writeln!(std::io::stdout(), "{json:#}"),
    };
    if summary.violations().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, traced: bool) -> aurora_sim::Summary {
    let mut report = aurora_core::simulation::run(seed, traced);
    let mut out = std::io::stderr().lock();
    for line in std::mem::take(&mut report.trace) {
        let _ = writeln!(out, "{line}");
    }
    let mut summary = aurora_sim::Summary::default();
    summary.add(report);
    summary
}

fn many(options: &Options) -> aurora_sim::Summary {
    // The top half is left out: nobody wants to type twenty digits.
    let base = options.base.unwrap_or_else(|| u64::from(fastrand::u32(..)));
    eprintln!("{} seeds from --base {base} on", options.seeds);
    let seeds: Vec<u64> = (0..options.seeds).map(|n| base.wrapping_add(n)).collect();
    let step = (options.seeds / 10).max(1);
    aurora_sim::run(&seeds, |done| {
        if done.is_multiple_of(step) {
            eprintln!("{done} seeds lived");
        }
    })
}
