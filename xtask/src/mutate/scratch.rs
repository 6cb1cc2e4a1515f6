//! A copy of what a mutation needs, so that the working tree is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::list::root;
use crate::step::{Step, StepError};

/// What of the repository is copied.
const COPIED: [&str; 5] = ["docs", "Cargo.lock", "aurora-core", "tests/spec", "tests/sim"];

/// A test that never ends is caught as well. Nothing here starts servers: a second is long.
const NEXTEST: &str = "\
[profile.default]
fail-fast = false
slow-timeout = { period = \"20s\", terminate-after = 2 }
";

/// What became of the vectors and the simulation.
pub(super) enum Ran {
    Failed(BTreeSet<String>),
    NotBuilt(String),
    Passed,
}

/// The copy.
pub(super) struct Scratch {
    directory: PathBuf,
    target: PathBuf,
}

impl Scratch {
    /// Makes a copy anew. The dependencies that were built for the working tree serve it as well:
    /// cargo tells packages apart by their place.
    pub(super) fn make() -> Result<Self, StepError> {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => {
                std::path::absolute(target).map_err(|error| other("the target", &error))?
            }
            None => root().join("target"),
        };
        let directory = target.join("mutants");
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(|error| other("the old copy", &error))?;
        }
        for what in COPIED.iter().filter(|what| root().join(what).exists()) {
            copy(&root().join(what), &directory.join(what))?;
        }
        let scratch = Self { directory, target };
        scratch.put(".config/nextest.toml", NEXTEST)?;
        scratch.put("Cargo.toml", &scratch.manifest()?)?;
        Ok(scratch)
    }

    /// The manifest of the workspace, with those members only that are copied.
    fn manifest(&self) -> Result<String, StepError> {
        let manifest = root().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(|error| other("Cargo.toml", &error))?;
        let members = if self.has_simulation() {
            "\"aurora-core\", \"tests/sim\""
        } else {
            "\"aurora-core\""
        };
        let lines = text.lines().filter(|line| !line.starts_with("default-members"));
        let lines = lines.map(|line| match line.starts_with("members") {
            true => format!("members = [{members}]"),
            false => line.to_owned(),
        });
        Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
    }

    fn has_simulation(&self) -> bool {
        self.directory.join("tests/sim/Cargo.toml").exists()
    }

    /// The text of a file of `aurora-core`.
    pub(super) fn read(&self, file: &str) -> Result<String, StepError> {
        let path = self.directory.join("aurora-core").join(file);
        fs::read_to_string(path).map_err(|error| other(file, &error))
    }

    /// Changes a file of `aurora-core`.
    pub(super) fn write(&self, file: &str, text: &str) -> Result<(), StepError> {
        self.put(&format!("aurora-core/{file}"), text)
    }

    fn put(&self, file: &str, text: &str) -> Result<(), StepError> {
        let path = self.directory.join(file);
        let parent = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(parent).map_err(|error| other(file, &error))?;
        fs::write(&path, text).map_err(|error| other(file, &error))
    }

    /// Runs the vectors, and where these pass and there is one the simulation.
    pub(super) fn test(&self) -> Result<Ran, StepError> {
        let vectors =
            self.nextest(&["--package", "aurora-core", "--lib", "-E", "test(/^spec::/)"])?;
        match vectors {
            Ran::Passed if self.has_simulation() => {
                self.nextest(&["--package", "aurora-sim", "--tests"])
            }
            Ran::Failed(_) | Ran::NotBuilt(_) | Ran::Passed => Ok(vectors),
        }
    }

    fn nextest(&self, what: &[&str]) -> Result<Ran, StepError> {
        let step = Step::cargo("nextest")
            .args(["run", "--offline", "--manifest-path"])
            .args([self.directory.join("Cargo.toml")])
            .env("CARGO_TERM_COLOR", "never")
            .env("RUST_BACKTRACE", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .args(["--target-dir".as_ref(), self.target.as_os_str()])
            .args(["--status-level", "fail"]);
        let (success, told) = step.args(what).told()?;
        if success {
            return Ok(Ran::Passed);
        }
        let failed: BTreeSet<String> = told.lines().filter_map(failed_test).collect();
        if failed.is_empty() {
            let errors = told.lines().filter(|line| line.starts_with("error"));
            return Ok(Ran::NotBuilt(errors.take(3).collect::<Vec<_>>().join(" ")));
        }
        Ok(Ran::Failed(failed))
    }
}

/// The test that a line of nextest says has failed: `FAIL [ 0.1s] (1/8) aurora-core spec::a::b`.
fn failed_test(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_bad = words.first().is_some_and(|word| {
        ["FAIL", "TIMEOUT", "SIGABRT", "SIGSEGV", "TERMINATING"].contains(word)
    });
    let name = words.last().filter(|_| is_bad && line.contains('['))?;
    Some(name.strip_prefix("spec::").unwrap_or(name).to_owned())
}

fn copy(from: &Path, to: &Path) -> Result<(), StepError> {
    let shown = from.display().to_string();
    if from.is_file() {
        let parent = to.parent().unwrap_or(to);
        fs::create_dir_all(parent).map_err(|error| other(&shown, &error))?;
        return fs::copy(from, to).map(|_| ()).map_err(|error| other(&shown, &error));
    }
    for entry in fs::read_dir(from).map_err(|error| other(&shown, &error))? {
        let entry = entry.map_err(|error| other(&shown, &error))?;
        if entry.file_name() != "target" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn other(what: &str, error: &std::io::Error) -> StepError {
    StepError::Other(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_failed_tests_are_read() {
        let line = "        FAIL [   0.689s] (1/8) aurora-core spec::discovery::configured";
        assert_eq!(failed_test(line).as_deref(), Some("discovery::configured"));
        let line = "     TIMEOUT [  40.003s] (3/8) aurora-core spec::detection::pace";
        assert_eq!(failed_test(line).as_deref(), Some("detection::pace"));
        assert_eq!(failed_test("     Summary [   5.1s] 24 tests run: 22 passed, 2 failed"), None);
        assert_eq!(failed_test("        PASS [   0.1s] (1/8) aurora-core spec::a::b"), None);
    }
}
