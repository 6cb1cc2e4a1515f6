//! How long a user's first build takes with us and without, and which crates come twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Options, page, print};
use crate::scratch::Scratch;
use crate::step::{Step, StepError};

/// Where the figures of the last run are, for the page.
const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/compile.json");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What everybody has who uses Diesel with its pool.
const BARE: &str = "diesel = { version = \"*\", features = [\"postgres\", \"r2d2\"] }\n";

/// Cores that are used.
const JOBS: &str = "2";

/// Crates that take seconds to compile, or that must not be there twice for another reason.
const HEAVY: [&str; 20] = [
    "aws-lc-sys",
    "bindgen",
    "diesel",
    "diesel-async",
    "hyper",
    "mysql_async",
    "mysql_common",
    "openssl-sys",
    "postgres-protocol",
    "regex-automata",
    "ring",
    "rustls",
    "sea-orm",
    "sea-query",
    "sqlx-core",
    "sqlx-postgres",
    "syn",
    "tokio",
    "tokio-postgres",
    "zstd-sys",
];

/// Builds both from nothing, each in a directory of its own.
pub(super) fn run(options: &Options) -> Result<(), StepError> {
    let ours = format!("{BARE}aurora-diesel = {{ path = \"{ROOT}/aurora-diesel\" }}\n");
    let bare = build("bare", BARE)?;
    let ours = build("ours", &ours)?;
    let mut figures = vec![
        beside("compile, aurora-diesel beside diesel and r2d2: time", "s", ours.0, bare.0),
        beside("compile, aurora-diesel beside diesel and r2d2: crates", "", ours.1, bare.1),
    ];
    let (mut twice, mut wanted) = (BTreeMap::new(), BTreeMap::new());
    for (what, arguments) in [
        ("aurora-diesel", ["--package", "aurora-diesel"].as_slice()),
        ("aurora-diesel, all features", &["--package", "aurora-diesel", "--all-features"]),
        ("aurora-seaorm, all features", &["--package", "aurora-seaorm", "--all-features"]),
    ] {
        let found = duplicates(arguments)?;
        let heavy: Duplicates =
            found.clone().into_iter().filter(|(name, _)| HEAVY.contains(&name.as_str())).collect();
        figures.push(json!({
            "name": format!("heavy crates that come twice, {what}"), "unit": "",
            "ours": heavy.len(), "baseline": null, "ratio": null, "target": "≤ 0",
            "met": heavy.is_empty(),
        }));
        wanted.insert(what, wanted_by(arguments, &heavy)?);
        twice.insert(what, found);
    }
    print(&figures, options.json);
    for (what, found) in &twice {
        println!("{what} has twice: {}", words(found));
        wanted[what].iter().for_each(|line| println!("{line}"));
    }
    if !options.write {
        return Ok(());
    }
    let stored = json!({
        "date": page::date()?, "compiler": page::compiler(), "figures": figures, "twice": twice,
        "wanted": wanted,
    });
    fs::write(STORED, format!("{stored:#}\n")).map_err(|e| other(Path::new(STORED), &e))
}

/// What the page says of the last run; nothing if there was none.
pub(super) fn section() -> Result<String, StepError> {
    let Ok(text) = fs::read_to_string(STORED) else { return Ok(String::new()) };
    let stored: Value = serde_json::from_str(&text).map_err(|e| other(Path::new(STORED), &e))?;
    let word = |name: &str| stored[name].as_str().unwrap_or("?").to_owned();
    let figures = stored["figures"].as_array().cloned().unwrap_or_default();
    let mut section = format!(
        "\n## Compile time\n\n`cargo xtask bench --compile --write`, {}, {}: a cold debug build \
         with {JOBS} jobs, of a package that depends on `diesel` with `postgres` and `r2d2` and on \
         `aurora-diesel` with its default features, beside one without `aurora-diesel`.\n\n",
        word("date"),
        word("compiler"),
    );
    section.push_str(&page::rows(&figures));
    for (what, found) in stored["twice"].as_object().into_iter().flatten() {
        let found: Duplicates = serde_json::from_value(found.clone()).unwrap_or_default();
        section.push_str(&format!("\nIn two versions in {what}: {}.\n", words(&found)));
        let wanted = stored["wanted"][what].as_array().into_iter().flatten();
        for line in wanted.filter_map(Value::as_str) {
            section.push_str(&format!("* {line}\n"));
        }
    }
    Ok(section)
}

/// Builds a package with these dependencies, and says how many seconds that took and how many
/// crates it needed.
fn build(name: &str, dependencies: &str) -> Result<(f64, f64), StepError> {
    let scratch = Scratch::make(&format!("compile-{name}"))?;
    let write = |file: &str, text: &str| {
        let path = scratch.path().join(file);
        fs::write(&path, text).map_err(|error| other(&path, &error))
    };
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n[workspace]\n[dependencies]\n{dependencies}"
        ),
    )?;
    write("lib.rs", "")?;
    // The versions that are here already: nothing is fetched.
    let lock = Path::new(ROOT).join("Cargo.lock");
    write("Cargo.lock", &fs::read_to_string(&lock).map_err(|error| other(&lock, &error))?)?;
    let manifest = scratch.path().join("Cargo.toml").display().to_string();
    let target = scratch.path().join("target").display().to_string();
    eprintln!("building `{name}` from nothing");
    let began = Instant::now();
    let step = Step::cargo("build").args(["--offline", "--quiet", "--jobs", JOBS]);
    let step = step.args(["--message-format=json-render-diagnostics", "--manifest-path"]);
    let output = step.args([manifest]).env("CARGO_TARGET_DIR", &target).output()?;
    let seconds = began.elapsed().as_secs_f64();
    let crates = crates(&String::from_utf8_lossy(&output)).saturating_sub(1);
    Ok((seconds, f64::from(u32::try_from(crates).unwrap_or(u32::MAX))))
}

/// How many packages cargo says it has compiled.
fn crates(messages: &str) -> usize {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = messages.filter(|message| message["reason"] == "compiler-artifact");
    let packages: BTreeSet<String> =
        built.filter_map(|message| message["package_id"].as_str().map(str::to_owned)).collect();
    packages.len()
}

/// Crates, each with its versions.
type Duplicates = BTreeMap<String, BTreeSet<String>>;

/// The crates of which there is more than one version.
fn duplicates(arguments: &[&str]) -> Result<Duplicates, StepError> {
    let how = ["--offline", "--duplicates", "--edges", "normal,build", "--depth", "0"];
    let step = Step::cargo("tree").args(how).args(["--prefix", "none"]).args(arguments);
    let output = step.args(["--manifest-path", &format!("{ROOT}/Cargo.toml")]).output()?;
    Ok(versions(&String::from_utf8_lossy(&output)))
}

/// Who wants which version of these.
fn wanted_by(arguments: &[&str], twice: &Duplicates) -> Result<Vec<String>, StepError> {
    let mut lines = Vec::new();
    for (name, version) in twice.iter().flat_map(|(name, all)| all.iter().map(move |v| (name, v))) {
        let which = format!("{name}@{}", version.trim_start_matches('v'));
        let how = ["--offline", "--edges", "normal,build", "--depth", "1", "--prefix", "none"];
        let step = Step::cargo("tree").args(how).args(["--invert", &which]).args(arguments);
        let output = step.args(["--manifest-path", &format!("{ROOT}/Cargo.toml")]).output()?;
        let text = String::from_utf8_lossy(&output);
        let names: BTreeSet<_> =
            text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        let names: Vec<_> = names.into_iter().collect();
        lines.push(format!("{name} {version} is wanted by {}", names.join(", ")));
    }
    Ok(lines)
}

/// What `cargo tree --duplicates` says; it also names what is built twice in one version.
fn versions(text: &str) -> Duplicates {
    let mut all = Duplicates::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            all.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    all.retain(|_, versions| versions.len() > 1);
    all
}

fn words(found: &Duplicates) -> String {
    if found.is_empty() {
        return "nothing".to_owned();
    }
    let one = |(name, versions): (&String, &BTreeSet<String>)| {
        format!("{name} ({})", versions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn beside(name: &str, unit: &str, ours: f64, baseline: f64) -> Value {
    json!({
        "name": name, "unit": unit, "ours": ours, "baseline": baseline,
        "ratio": ours / baseline, "target": null, "met": null,
    })
}

fn other(path: &Path, error: &dyn std::fmt::Display) -> StepError {
    StepError::Other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_in_two_versions_come_twice() {
        let tree = "syn v1.0.109\n\nsyn v2.0.1\n\nring v0.17.14\n\nring v0.17.14\n";
        assert_eq!(words(&versions(tree)), "syn (v1.0.109, v2.0.1)");
        assert_eq!(words(&versions("")), "nothing");
    }

    #[test]
    fn a_package_counts_once_whatever_is_built_of_it() {
        let message =
            |reason: &str, id: &str| format!("{}\n", json!({"reason": reason, "package_id": id}));
        let text = message("compiler-artifact", "a")
            + &message("compiler-artifact", "a")
            + &message("build-script-executed", "b")
            + &message("compiler-artifact", "c");
        assert_eq!(crates(&text), 2);
    }
}
