//! Instructions under callgrind, beside those that were counted before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, page, print};
use crate::step::{Step, StepError};

/// The counts to compare with: a line `count name` each.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/instructions.txt");

/// What the counts may be more, in percent.
const MARGIN: u64 = 5;

/// No piece takes longer under valgrind, by far.
const LIMIT: Duration = Duration::from_secs(600);

/// The programs that do one piece of work: without a server, and SELECTs through the adapters.
const PROGRAMS: [(&str, &str); 2] =
    [("aurora-measure", "instructions"), ("aurora-benches", "statements")];

/// What pieces are called that ask a server. How often their thread wakes up depends on when
/// answers come: of so many runs the least counts.
const WITH_SERVER: (&str, usize) = ("select", 3);

/// Instructions of one time each, by the name of the work.
pub(super) type Counts = BTreeMap<String, u64>;

/// Counts, compares, and fails where there are too many.
pub(super) fn run(options: &Options) -> Result<(), StepError> {
    let mut found = Counts::new();
    for (package, bench) in PROGRAMS {
        let program = build(package, bench)?;
        let list = Step::new(&program).args(["--list"]).output()?;
        for name in String::from_utf8_lossy(&list).lines().filter(|n| n.contains(&options.filter)) {
            let count = least(&program, name)?;
            eprintln!("{count:>9} {name}");
            found.insert(name.to_owned(), count);
        }
    }
    let mut baseline = match stored() {
        Err(_) if options.write => Counts::new(),
        stored => stored?,
    };
    baseline.retain(|name, _| name.contains(&options.filter));
    let figures: Vec<Value> = found.iter().map(|pair| figure(pair, &baseline)).collect();
    print(&figures, options.json);
    if options.write {
        return fs::write(BASELINE, render(&found))
            .map_err(|error| StepError::Other(format!("{BASELINE}: {error}")));
    }
    match problems(&baseline, &found).as_slice() {
        [] => Ok(()),
        some => Err(StepError::Other(some.join("\n"))),
    }
}

/// Builds a program that does one piece of work, and says where it is.
fn build(package: &str, bench: &str) -> Result<PathBuf, StepError> {
    let what = ["--package", package, "--bench", bench, "--no-run"];
    let format = ["--message-format", "json-render-diagnostics"];
    let output = Step::cargo("bench").args(what).args(format).output()?;
    let text = String::from_utf8_lossy(&output);
    let built = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = built.filter(|message| message["target"]["name"] == bench);
    let mut path = program.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.next_back().ok_or_else(|| StepError::Other("cargo built no program".to_owned()))
}

/// The least of as many runs as the piece needs.
fn least(program: &Path, name: &str) -> Result<u64, StepError> {
    let runs = if name.starts_with(WITH_SERVER.0) { WITH_SERVER.1 } else { 1 };
    let mut least = instructions(program, name)?;
    for _ in 1..runs {
        least = least.min(instructions(program, name)?);
    }
    Ok(least)
}

/// Of one time of the work: it is done often enough that what surrounds it does not count.
fn instructions(program: &Path, name: &str) -> Result<u64, StepError> {
    let times = match name.split_whitespace().next() {
        Some("engine:") => 60,
        Some("select,") => 500,
        _ => 1000,
    };
    let out = std::env::temp_dir().join(format!("aurora-instructions-{}", std::process::id()));
    let step = Step::new("valgrind").args(["--tool=callgrind", "--collect-atstart=no"]);
    let step = step.args(["--toggle-collect=*measured*", "-q"]);
    let step = step.args([format!("--callgrind-out-file={}", out.display())]).args([program]);
    let ran = step.args([name, &times.to_string()]).printing_to_stderr().limit(LIMIT).run();
    let text = ran.and_then(|()| {
        fs::read_to_string(&out).map_err(|error| StepError::Other(error.to_string()))
    });
    let _ = fs::remove_file(&out);
    let total = total(&text?);
    let total = total.filter(|total| *total > 0);
    let none = || StepError::Other(format!("callgrind counted nothing of {name}"));
    total.map(|total| total / times).ok_or_else(none)
}

/// The instructions in a file of callgrind's (`totals:`, and of older versions `summary:`).
fn total(text: &str) -> Option<u64> {
    let of = |word: &str| text.lines().find_map(|line| line.strip_prefix(word));
    let count = of("totals:").or_else(|| of("summary:"))?;
    count.split_whitespace().next()?.parse().ok()
}

/// The counts to compare with.
pub(super) fn stored() -> Result<Counts, StepError> {
    let text = fs::read_to_string(BASELINE);
    parse(&text.map_err(|error| StepError::Other(format!("{BASELINE}: {error}")))?)
}

fn parse(text: &str) -> Result<Counts, StepError> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let pair = line.trim_start().split_once(' ');
            let count = pair.and_then(|(count, name)| Some((name.to_owned(), count.parse().ok()?)));
            count.ok_or_else(|| StepError::Other(format!("{BASELINE}: not understood: {line}")))
        })
        .collect()
}

fn render(counts: &Counts) -> String {
    let mut text = "# Instructions of one time each, under callgrind; `cargo xtask bench --guard` \
                    compares, and with `--write` writes them anew.\n"
        .to_owned();
    text.push_str(&format!("# {}\n", page::compiler()));
    for (name, count) in counts {
        text.push_str(&format!("{count:>9} {name}\n"));
    }
    text
}

fn figure((name, count): (&String, &u64), baseline: &Counts) -> Value {
    let before = baseline.get(name);
    #[allow(clippy::cast_precision_loss, reason = "counts of at most some millions")]
    let ratio = before.map(|before| *count as f64 / *before as f64);
    json!({
        "name": name,
        "unit": "instructions",
        "ours": count,
        "baseline": before,
        "ratio": ratio,
        "target": format!("at most {MARGIN} % more than before"),
        "met": before.is_some_and(|before| !is_more(*before, *count)),
    })
}

fn is_more(before: u64, now: u64) -> bool {
    now * 100 > before * (100 + MARGIN)
}

/// What is wrong with the counts, in words.
fn problems(baseline: &Counts, found: &Counts) -> Vec<String> {
    let mut all = Vec::new();
    for (name, now) in found {
        match baseline.get(name) {
            Some(before) if is_more(*before, *now) => {
                all.push(format!("{name}: {now} instructions, {before} before"));
            }
            Some(_) => {}
            None => all.push(format!("{name}: never counted before; see --write")),
        }
    }
    let gone = baseline.keys().filter(|name| !found.contains_key(*name));
    all.extend(gone.map(|name| format!("{name}: not there any more; see --write")));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn five_percent_more_are_let_through_and_not_one_instruction_beyond() {
        let before = counts(&[("route 3", 2000)]);
        assert!(problems(&before, &counts(&[("route 3", 2100)])).is_empty());
        assert!(problems(&before, &counts(&[("route 3", 1)])).is_empty());
        let found = problems(&before, &counts(&[("route 3", 2101)]));
        assert_eq!(found, ["route 3: 2101 instructions, 2000 before"]);
        assert_eq!(figure((&"route 3".to_owned(), &2101), &before)["met"], false);
    }

    #[test]
    fn what_is_new_or_gone_is_a_problem() {
        let (a, b) = (counts(&[("a", 1)]), counts(&[("b", 1)]));
        assert_eq!(problems(&a, &b).len(), 2);
        assert!(problems(&a, &a).is_empty());
    }

    #[test]
    fn counts_are_read_as_they_were_written() {
        let all = counts(&[("classify cold postgres", 6048), ("route 3", 283)]);
        assert_eq!(parse(&render(&all)).unwrap(), all);
        assert!(parse("many route 3\n").is_err());
    }

    #[test]
    fn the_total_of_callgrind_is_found() {
        assert_eq!(total("events: Ir\nfn=a\n1 2\ntotals: 4711\n"), Some(4711));
        assert_eq!(total("events: Ir\nsummary: 12 3\n"), Some(12));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn the_stored_counts_can_be_read() {
        let stored = parse(&fs::read_to_string(BASELINE).unwrap()).unwrap();
        assert!(stored.len() > 20 && stored.values().all(|count| *count > 10), "{stored:?}");
    }
}
