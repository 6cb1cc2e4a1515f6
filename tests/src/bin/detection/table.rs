//! The figures as tables.

use std::fmt::Write as _;

use serde_json::Value;
use test_kit::PacketLoss;

use crate::ADAPTERS;

/// A page of its own: `docs/detection.md`.
pub(crate) fn page(results: &[Value], steady: &Value) -> String {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output().unwrap();
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "# Detection\n\nMade by `cargo xtask faults --detection --write` on {date}: PostgreSQL \
         servers on one machine with {processors} processors, four adapters at the same time, \
         unoptimised build.\n\n{}",
        markdown(results, steady)
    )
}

/// The tables.
pub(crate) fn markdown(results: &[Value], steady: &Value) -> String {
    let runs = results.first().map_or(0, |result| result["runs"].as_u64().unwrap_or(0));
    let blackhole = match PacketLoss::why_not() {
        None => "packets dropped by the kernel",
        Some(_) => "a silent proxy",
    };
    let mut text = format!(
        "How long it takes from the fault until the statement in flight on the writer fails: \
         minimum / maximum / average of {runs} runs, in milliseconds. A blackhole is {blackhole}, \
         both ways. With a statement that begins after the fault, time runs from the fault all the \
         same. A connection that is reset or killed while it is idle is replaced unseen, so these \
         have one row.\n\n"
    );
    let adapters = ADAPTERS.map(|(name, _)| name);
    let _ =
        writeln!(text, "| setting | fault | outage begins | {} | must be |", adapters.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}---|", "---|".repeat(adapters.len()));
    let word = |result: &Value, name: &str| result[name].as_str().unwrap_or("").to_owned();
    let row = |result: &Value| ["setting", "fault", "outage"].map(|name| word(result, name));
    let mut seen = Vec::new();
    for key in results.iter().map(row) {
        if seen.contains(&key) {
            continue;
        }
        let of = |adapter: &str| {
            let mut of = results.iter().filter(|result| row(result) == key);
            of.find(|result| result["adapter"] == adapter)
        };
        let cells = adapters.map(|adapter| of(adapter).map_or_else(String::new, cell));
        let limit = of(adapters[0]).map_or(0, |result| result["limit_ms"].as_u64().unwrap_or(0));
        let _ = writeln!(text, "| {} | {} | {limit} at most |", key.join(" | "), cells.join(" | "));
        seen.push(key);
    }
    text + &certainty(results) + &steadily(steady)
}

/// How soon an error that someone has seen is a verdict.
fn certainty(results: &[Value]) -> String {
    let adapters = ADAPTERS.map(|(name, _)| name);
    let mut text = format!(
        "\nFrom the first error that anyone sees (a statement or a monitor) until the statement in \
         flight has failed, and with SIGKILL until the instance is declared lost: average, in \
         milliseconds.\n\n| setting | fault | {} | must be |\n|---|---|{}---|\n",
        adapters.join(" | "),
        "---|".repeat(adapters.len())
    );
    let millis = |value: &Value| value.as_f64().map_or(0.0, |micros| micros / 1000.0);
    let first = results.iter().filter(|result| result["adapter"] == adapters[0]);
    for row in first.filter(|row| !row["certain_limit_us"].is_null()) {
        let same = |other: &&Value| ["setting", "fault"].iter().all(|key| other[key] == row[key]);
        let cells: Vec<_> = results
            .iter()
            .filter(same)
            .map(|result| format!("{:.1}", millis(&result["certain_us"])))
            .collect();
        let word = |name: &str| row[name].as_str().unwrap_or("");
        let (setting, fault, cells) = (word("setting"), word("fault"), cells.join(" | "));
        let limit = millis(&row["certain_limit_us"]);
        let _ = writeln!(text, "| {setting} | {fault} | {cells} | {limit} at most |");
    }
    text
}

fn cell(result: &Value) -> String {
    let figure = |name: &str| result["failed_ms"][name].as_u64().unwrap_or(0);
    let text = format!("{} / {} / {}", figure("min"), figure("max"), figure("avg"));
    if result["verdict"] == "held" { text } else { format!("**{text}**") }
}

fn steadily(steady: &Value) -> String {
    let number = |name: &str| steady[name].as_u64().unwrap_or(0);
    format!(
        "\nWithout a fault, for {} s, with the default setting, at three times the usual round \
         trip, with {} answers to probes that never came (one of twenty) and all threads of the \
         program's executor blocked for 500 ms {} times: {} instances declared lost, {} suspected \
         for a moment. In virtual time the same is lived for an hour with each setting \
         (`an_hour_of_slowness_stalls_and_standstills_condemns_nobody`).\n",
        number("seconds"),
        number("stalled_answers"),
        number("standstills"),
        number("lost"),
        number("suspected"),
    )
}
