//! Runs the vectors of `tests/spec` against the engine, the router, the sessions' decisions and
//! the dialects. The format is described in `tests/spec/README.md`.

mod act;
mod expect;
mod format;
mod reading;
mod routes;
mod session;
mod setup;
mod story;
mod tokens;
mod units;
mod words;
mod yaml;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// One test per file; [`every_file_is_run`] fails for a file that is not named here.
macro_rules! areas {
    ($($area:ident: $($file:ident)*;)*) => {
        const FILES: &[(&str, &str)] = &[$($((stringify!($area), stringify!($file)),)*)*];
        $(mod $area {
            $(#[test]
            fn $file() {
                super::run(stringify!($area), stringify!($file));
            })*
        })*
    };
}

areas! {
    degraded: lists readings_aurora readings_postgres removal;
    detection: codes dialect pace silence;
    discovery: cluster_endpoint configured startup suggested;
    drain: offline;
    election: failover promotion restart;
    freshness: demand history lag positions reigns sessions tokens;
    health: back_pressure loss suspicion;
    identity: foreign;
    names: aliases moves;
    outcome: after_loss lost needs refused;
    selection: eligibility freshness policies;
    split_brain: aurora timelines transactions;
    stale: answers complaints monitors;
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/spec")
}

/// Reads a file and runs all of its vectors; tells all that failed.
fn run(area: &str, file: &str) {
    let path = directory().join(area).join(file).with_extension("yaml");
    let shown = format!("tests/spec/{area}/{file}.yaml");
    let vectors = read(&path).unwrap_or_else(|problem| panic!("{shown}: {problem}"));
    assert!(!vectors.is_empty(), "{shown}: no vectors");
    let mut failures = Vec::new();
    for vector in &vectors {
        let name = vector.get("name").and_then(Value::as_str).unwrap_or("(no name)");
        let step = Cell::new(0);
        let ran = catch_unwind(AssertUnwindSafe(|| check(vector, &step)));
        let problem = match ran {
            Ok(Ok(())) => continue,
            Ok(Err(problem)) => problem,
            Err(panic) => crate::panic::message(&*panic),
        };
        let place = if step.get() > 0 { format!(", step {}", step.get()) } else { String::new() };
        failures.push(format!("{shown}: \"{name}\"{place}: {problem}"));
    }
    let (failed, all) = (failures.len(), vectors.len());
    assert!(failures.is_empty(), "{failed} of {all} vectors failed\n{}", failures.join("\n"));
}

fn read(path: &std::path::Path) -> Result<Vec<Map<String, Value>>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_value(yaml::parse(&text)?).map_err(|error| error.to_string())
}

/// Runs one vector; what kind it is tells the key that only this kind has.
fn check(vector: &Map<String, Value>, step: &Cell<usize>) -> Result<(), String> {
    let mut body = vector.clone();
    for key in ["name", "why"] {
        let text = body.remove(key);
        if text.as_ref().and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
            return Err(format!("it has no {key}"));
        }
    }
    if body.contains_key("steps") {
        return story::tell(&as_kind(body)?, step);
    }
    if body.contains_key("topology") {
        return as_kind::<routes::Selection>(body)?.check();
    }
    if body.contains_key("statement") {
        return as_kind::<session::Decision>(body)?.check();
    }
    if body.contains_key("rows") {
        return as_kind::<reading::Reading>(body)?.check();
    }
    if body.contains_key("detect") {
        return as_kind::<reading::Detection>(body)?.check();
    }
    as_kind::<reading::Codes>(body)?.check()
}

fn as_kind<T: DeserializeOwned>(body: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(body)).map_err(|error| error.to_string())
}

/// All files there are, as area and name.
fn files_there() -> BTreeSet<(String, String)> {
    let entries = |path: PathBuf| {
        let entries = std::fs::read_dir(path).expect("a directory of the specification");
        entries.map(|entry| entry.expect("a readable directory").path())
    };
    let name = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = BTreeSet::new();
    for area in entries(directory()) {
        if area.is_file() {
            assert_eq!(name(&area), "README", "vectors belong into an area");
            continue;
        }
        for file in entries(area.clone()) {
            found.insert((name(&area), name(&file)));
        }
    }
    found
}

#[test]
fn every_file_is_run() {
    let run = FILES.iter().map(|(area, file)| ((*area).to_owned(), (*file).to_owned()));
    assert_eq!(files_there(), run.collect(), "files there, and files named in spec/mod.rs");
}

#[test]
fn names_of_vectors_are_unique_and_there_are_many() {
    let mut names = BTreeSet::new();
    for (area, file) in files_there() {
        let path = directory().join(&area).join(&file).with_extension("yaml");
        for vector in read(&path).unwrap_or_else(|problem| panic!("{area}/{file}: {problem}")) {
            let name = vector.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            assert!(names.insert(name.clone()), "{area}/{file}: \"{name}\" is there twice");
        }
    }
    assert!(names.len() >= 300, "{} vectors", names.len());
}
