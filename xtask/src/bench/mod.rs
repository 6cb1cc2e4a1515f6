//! `cargo xtask bench`: what the layer costs, measured.

mod compile;
mod guard;
mod page;
mod reasons;

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::packages;
use crate::step::{Step, StepError};

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");

/// The programs that measure: package and name. Each takes a part of a name, and prints a JSON
/// object for every figure that has it in its name.
const PROGRAMS: [(&str, &str); 6] = [
    ("aurora-measure", "pure"),
    ("aurora-benches", "freshness"),
    ("aurora-benches", "end_to_end_sync"),
    ("aurora-benches", "end_to_end_async"),
    ("aurora-benches", "after_failover"),
    ("aurora-benches", "at_rest"),
];

/// Programs whose names begin so, and their servers, share one processor: else a figure says on
/// which one the client and the server of a connection happened to be, which is five times as much
/// as anything else in it.
const STATEMENTS: &str = "end_to_end";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only figures that have this text in their name
    #[arg(default_value = "")]
    filter: String,
    /// Print the figures as a JSON array, in the last line
    #[arg(long)]
    json: bool,
    /// Write the page `docs/performance.md`, or with `--guard` the counts to compare with, or with
    /// `--compile` what the page says of it; for all figures only
    #[arg(long, conflicts_with = "filter")]
    write: bool,
    /// Count instructions under callgrind instead, and fail where there are 5 % more than those in
    /// `benches/instructions.txt`
    #[arg(long)]
    guard: bool,
    /// Build `aurora-diesel` from nothing instead, beside bare Diesel, and look for crates that come
    /// twice
    #[arg(long, conflicts_with_all = ["filter", "guard"])]
    compile: bool,
}

/// Measures what is asked for and prints it.
pub(crate) fn run(options: &Options) -> Result<(), StepError> {
    if options.guard {
        packages::install_missing()?;
        packages::install_of(&[packages::VALGRIND])?;
        return guard::run(options);
    }
    packages::install_missing()?;
    if options.compile {
        return compile::run(options);
    }
    let mut figures = Vec::new();
    for (package, name) in PROGRAMS {
        let built = ["--quiet", "--package", package, "--bench", name];
        Step::cargo("bench").args(built).args(["--no-run"]).run()?;
        let wanted = ["--", "--figures", &options.filter];
        let wanted = wanted.into_iter().filter(|word| !word.is_empty());
        let step = if name.starts_with(STATEMENTS) {
            Step::cargo_on_one_processor("bench")
        } else {
            Step::cargo("bench")
        };
        figures.extend(objects(&step.args(built).args(wanted).output()?));
    }
    print(&figures, options.json);
    if options.write {
        write_page(&page::page(&figures)?)?;
    }
    Ok(())
}

/// The objects among the lines of a program.
fn objects(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(Value::is_object)
        .collect()
}

fn print(figures: &[Value], json: bool) {
    print!("{}", page::table(figures));
    if json {
        println!("{}", Value::from(figures.to_vec()));
    }
}

fn write_page(text: &str) -> Result<(), StepError> {
    let failed = |error| StepError::Other(format!("{PAGE} could not be written: {error}"));
    fs::write(Path::new(PAGE), text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_are_figures() {
        let output = b"warming up\n{\"name\":\"a\"}\n[1]\n7\n{\"name\":\"b\"}\n";
        let names: Vec<_> =
            objects(output).iter().map(|figure| figure["name"].as_str().map(str::len)).collect();
        assert_eq!(names, [Some(1), Some(1)]);
    }

    #[test]
    fn every_program_is_a_bench_of_its_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (package, name) in PROGRAMS {
            let place = if package == "aurora-measure" { "benches/measure" } else { "benches" };
            let manifest = fs::read_to_string(root.join(place).join("Cargo.toml")).unwrap();
            assert!(manifest.contains(&format!("name = \"{package}\"")), "{package}");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        }
        assert_eq!(PROGRAMS.iter().filter(|(_, name)| name.starts_with(STATEMENTS)).count(), 2);
    }
}
