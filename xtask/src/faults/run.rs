//! Runs the tests of the catalogue and collects what became of them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::catalogue::{ADAPTERS, Engine, Fault};
use crate::scratch::Scratch;
use crate::step::{Step, StepError};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) engine: Engine,
    pub(super) faults: Vec<&'a Fault>,
    /// Any if empty.
    pub(super) adapters: Vec<String>,
    /// All of the catalogue.
    pub(super) everything: bool,
}

/// How the tests ended, by the names nextest gives them.
type Ended = HashMap<String, End>;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    passed: bool,
    /// It had failed before.
    again: bool,
}

impl Asked<'_> {
    fn wants(&self, adapter: &str) -> bool {
        self.adapters.is_empty() || self.adapters.iter().any(|wanted| wanted == adapter)
    }

    fn tests(&self) -> BTreeSet<String> {
        let doors = |fault: &&Fault| {
            let wanted = ADAPTERS.iter().filter(|adapter| self.wants(adapter));
            wanted.flat_map(|adapter| fault.tests(self.engine, Some(adapter))).collect::<Vec<_>>()
        };
        let core = self.faults.iter().filter(|_| self.adapters.is_empty());
        let core = core.flat_map(|fault| fault.tests(self.engine, None));
        self.faults.iter().flat_map(doors).chain(core).collect()
    }
}

/// Runs everything that is asked for; one object for each fault and adapter.
pub(super) fn run(asked: &Asked<'_>) -> Result<Vec<Value>, StepError> {
    // Where the trials leave their records.
    let directory = Scratch::make("faults")?;
    let tests = asked.tests();
    // nextest fails when no test meets its filter.
    let ended =
        if tests.is_empty() { Ended::new() } else { nextest(&tests, asked, directory.path())? };
    let stray = ended.keys().filter(|test| !tests.contains(*test)).cloned().collect::<Vec<_>>();
    if !stray.is_empty() {
        let text = format!("not in the catalogue: {}", stray.join(", "));
        return Err(StepError::Other(text));
    }
    Ok(asked
        .faults
        .iter()
        .flat_map(|fault| results(fault, asked, &ended, directory.path()))
        .collect())
}

/// What became of one fault, for each adapter that is wanted.
fn results(fault: &Fault, asked: &Asked<'_>, ended: &Ended, directory: &Path) -> Vec<Value> {
    let engine = asked.engine;
    if fault.is_core(engine) {
        let core = asked.adapters.is_empty();
        let tests = fault.tests(engine, None);
        let result = || result(fault, "core", &tests, ended, Vec::new());
        return core.then(result).into_iter().collect();
    }
    let wanted = ADAPTERS.iter().filter(|adapter| asked.wants(adapter));
    let result = |adapter: &&str| {
        let door = engine.door(adapter);
        let trials = fault.trials(engine, adapter).into_iter();
        let records = trials.map(|test| record(directory, test, &door)).collect();
        result(fault, adapter, &fault.tests(engine, Some(adapter)), ended, records)
    };
    wanted.map(result).collect()
}

/// The verdict about one fault and adapter, with the figures of the record.
///
/// There is a record of each trial; the figures are those of the first.
fn result(
    fault: &Fault,
    adapter: &str,
    tests: &[String],
    ended: &Ended,
    records: Vec<Value>,
) -> Value {
    let mut records = records.into_iter();
    let mut result = records.next().unwrap_or_else(|| json!({}));
    result["fault"] = fault.id.into();
    result["adapter"] = adapter.into();
    result["also"] = records.collect();
    if tests.is_empty() {
        result["verdict"] = "does not apply".into();
        return result;
    }
    let mut problems: Vec<String> = Vec::new();
    let mut again_passed = false;
    for test in tests {
        match ended.get(test) {
            Some(End { passed: true, again }) => again_passed |= again,
            Some(End { passed: false, .. }) => problems.push(format!("{test} failed")),
            None => problems.push(format!("{test} was not run: is there such a test?")),
        }
    }
    let also = result["also"].as_array().into_iter().flatten();
    for record in [&result].into_iter().chain(also) {
        let limit = fault.outage.map_or(u128::MAX, |limit| limit.as_millis());
        let outage = record["outage_ms"].as_u64().filter(|outage| u128::from(*outage) > limit);
        let late = |outage| format!("an outage of {outage} ms, not {limit} ms at most");
        problems.extend(outage.map(late));
        let told = record["problems"].as_array().into_iter().flatten();
        problems.extend(told.filter_map(|problem| problem.as_str().map(str::to_owned)));
    }
    result["verdict"] = if problems.is_empty() { "held" } else { "broke" }.into();
    result["problems"] = problems.into();
    result["second_try"] = again_passed.into();
    result
}

/// What the trial wrote; nothing if it died before it could.
fn record(directory: &Path, test: &str, door: &str) -> Value {
    let text = fs::read_to_string(directory.join(format!("{test}-{door}.json")));
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!({}))
}

fn nextest(
    tests: &BTreeSet<String>,
    asked: &Asked<'_>,
    directory: &Path,
) -> Result<Ended, StepError> {
    let parts = |test: &String| {
        let (binary, name) = test.split_once('$').unwrap_or((test, ""));
        format!("(binary_id({binary}) & test(={name}))")
    };
    let mut filter: Vec<_> = tests.iter().map(parts).collect();
    if asked.everything {
        // Also trials that no row of the catalogue knows.
        filter.push(format!("({})", asked.engine.trials()));
    }
    let filter = filter.join(" | ");
    let packages: BTreeSet<&str> =
        tests.iter().filter_map(|test| test.split(['$', ':']).next()).collect();
    let mut step = Step::cargo("nextest").args(["run", "--all-features", "--no-fail-fast"]);
    for package in packages {
        step = step.args(["--package", package]);
    }
    let step = step
        .args(["--message-format", "libtest-json", "--filterset", filter.as_str()])
        // nextest calls its machine-readable messages an experiment; `ended` checks what it reads.
        .env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1")
        .env("AURORA_FAULTS_DIR", &directory.to_string_lossy());
    Ok(ended(&step.output_of_any_end()?))
}

/// How the tests ended, as nextest's messages tell.
fn ended(messages: &[u8]) -> Ended {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let tests = messages.filter(|message| message["type"] == "test");
    let ended = tests.filter_map(|message| {
        let passed = match message["event"].as_str()? {
            "ok" => true,
            "failed" => false,
            _ => return None,
        };
        let (name, again) = first_try(message["name"].as_str()?);
        Some((test_name(name), End { passed, again }))
    });
    ended.collect()
}

/// The name without the number of the try, `#2`, and whether there was one: nextest tries tests on
/// real servers twice.
fn first_try(name: &str) -> (&str, bool) {
    match name.rsplit_once('#') {
        Some((name, number)) if number.parse::<u32>().is_ok() => (name, true),
        _ => (name, false),
    }
}

/// The binary's identifier and the test's name. Of a library's tests the messages say
/// `a-package::a_package`, while its identifier is `a-package`.
fn test_name(message: &str) -> String {
    let unit = message.split_once("::").and_then(|(package, rest)| {
        let (binary, test) = rest.split_once('$')?;
        (binary == package.replace('-', "_")).then(|| format!("{package}${test}"))
    });
    unit.unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::faults::catalogue::{Often, Proof};

    const TRIAL: Fault = Fault::new(
        "A1",
        "a crash",
        "SIGKILL",
        Proof::Trial { test: "a1_crash", adapters: &["bb8"], often: Often::Always },
    );

    #[test]
    fn messages_of_nextest_tell_how_tests_ended() {
        let messages = br#"{"type":"suite","event":"started","test_count":2}
{"type":"test","event":"started","name":"p::it$faults::a1_crash::bb8"}
{"type":"test","event":"ok","name":"p::it$faults::a1_crash::bb8","exec_time":1.5}
{"type":"test","event":"failed","name":"a-core::a_core$other","exec_time":1.5}
{"type":"test","event":"ok","name":"p::it$again#2","exec_time":1.5}
"#;
        let expected = [
            ("p::it$faults::a1_crash::bb8", true, false),
            ("a-core$other", false, false),
            ("p::it$again", true, true),
        ];
        let expected =
            expected.map(|(name, passed, again)| (name.to_owned(), End { passed, again }));
        assert_eq!(ended(messages), expected.into());
    }

    #[test]
    fn a_fault_has_held_when_all_its_tests_passed_in_time() {
        let fault = TRIAL.within(Duration::from_secs(1));
        let tests = fault.tests(Engine::Postgres, Some("bb8"));
        let verdict = |passed: Option<bool>, outage: u64| {
            let end = |passed| (tests[0].clone(), End { passed, again: false });
            let ended = passed.map(end).into_iter().collect();
            let records = vec![json!({ "outage_ms": outage })];
            result(&fault, "bb8", &tests, &ended, records)["verdict"].clone()
        };
        assert_eq!(verdict(Some(true), 1000), "held");
        assert_eq!(verdict(Some(true), 1001), "broke");
        assert_eq!(verdict(Some(false), 10), "broke");
        assert_eq!(verdict(None, 10), "broke", "a test that is not there proves nothing");
        let none = result(
            &fault,
            "seaorm",
            &fault.tests(Engine::Postgres, Some("seaorm")),
            &Ended::new(),
            vec![],
        );
        assert_eq!(none["verdict"], "does not apply");
    }
}
