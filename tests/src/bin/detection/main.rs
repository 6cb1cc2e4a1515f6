//! How soon an instance that is gone is found out, and whether one that is not is left alone:
//! `cargo xtask faults --detection`.
#![allow(clippy::unwrap_used, reason = "a failure of the kit ends the measurement")]

mod measure;
mod steady;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use aurora_tests::door::Open;
use aurora_tests::doors;
use serde_json::Value;
use tokio::runtime::Runtime;

/// The adapters, each on a cluster of its own.
const ADAPTERS: [(&str, Open); 4] = [
    ("diesel_r2d2", doors::diesel_r2d2::open),
    ("bb8", doors::bb8::open),
    ("deadpool", doors::deadpool::open),
    ("seaorm", doors::seaorm::open),
];

/// What the measurement is told.
#[derive(Clone, Debug)]
struct Options {
    json: bool,
    runs: usize,
    steady: Duration,
    page: Option<String>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("detection: {text}; known: --json, --runs N, --steady SECONDS, --page FILE");
            return ExitCode::FAILURE;
        }
    };
    let results = measured(options.runs);
    let steady = runtime().block_on(steady::run(options.steady));
    print!("{}", table::markdown(&results, &steady));
    if let Some(page) = &options.page {
        std::fs::write(page, table::page(&results, &steady)).unwrap();
    }
    if options.json {
        println!("{}", Value::from([results.clone(), vec![steady.clone()]].concat()));
    }
    let broke = |result: &Value| result["verdict"] == "broke";
    ExitCode::from(u8::from(results.iter().any(broke) || broke(&steady)))
}

fn options(mut given: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { json: false, runs: 5, steady: Duration::from_secs(60), page: None };
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| -> Result<u32, String> {
            text.parse().map_err(|_| format!("`{text}` is no number"))
        };
        match name.as_str() {
            "--json" => options.json = true,
            "--runs" => options.runs = number(value()?)?.max(1) as usize,
            "--steady" => options.steady = Duration::from_secs(number(value()?)?.into()),
            "--page" => options.page = Some(value()?),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// An object for each setting, fault and adapter.
fn measured(runs: usize) -> Vec<Value> {
    let mut results = Vec::new();
    for setting in &measure::SETTINGS {
        // Each adapter has an executor of its own.
        let start = |(adapter, open)| {
            std::thread::spawn(move || {
                runtime().block_on(measure::adapter(adapter, open, setting, runs))
            })
        };
        let adapters = ADAPTERS.map(start);
        results.extend(adapters.into_iter().flat_map(|adapter| adapter.join().unwrap()));
    }
    results
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}
