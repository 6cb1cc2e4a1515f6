//! The matrix of faults and adapters, for a terminal and as a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::catalogue::{ADAPTERS, Fault};

/// One line for each fault and adapter.
pub(super) fn table(results: &[Value]) -> String {
    let mut text = format!(
        "{:5} {:12} {:15} {:>9} {:>9} {:>7} {:>8} {:>5} {:>6} {:>6}\n",
        "fault",
        "adapter",
        "verdict",
        "detection",
        "outage",
        "errors",
        "unknown",
        "lost",
        "twice",
        "wrong"
    );
    for result in results {
        let word = |name: &str| result[name].as_str().unwrap_or("").to_owned();
        let number = |name: &str| result[name].as_u64().map_or("-".to_owned(), |n| n.to_string());
        let _ = writeln!(
            text,
            "{:5} {:12} {:15} {:>9} {:>9} {:>7} {:>8} {:>5} {:>6} {:>6}",
            word("fault"),
            word("adapter"),
            word("verdict"),
            millis(&result["detection_ms"]),
            millis(&result["outage_ms"]),
            number("errors"),
            number("unknown"),
            number("lost"),
            number("duplicated"),
            number("wrong_outcomes"),
        );
        for problem in result["problems"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "      {}", problem.as_str().unwrap_or(""));
        }
    }
    text
}

fn millis(value: &Value) -> String {
    value.as_u64().map_or("-".to_owned(), |millis| format!("{millis} ms"))
}

/// The page: `docs/faults.md`.
pub(super) fn page(faults: &[&Fault], results: &[Value], head: &str) -> String {
    let mut text = format!("# Faults\n\n{head}\n\n");
    text.push_str(
        "Each row is a fault that is brought about for real under a load of writes, transactions \
         and reads. *held* means: no acknowledged write lost, none applied twice, every error right \
         about the outcome, no transaction torn or run on two connections, no operation past its \
         deadline, no write sent to a reader, nothing failing once all is well, and no connection \
         left behind. Then: how soon the library told of it, how long nobody could write, and how \
         many of the writes in flight failed.\n\n",
    );
    let _ = writeln!(
        text,
        "How soon silence is noticed, measured by itself, is in [detection.md](detection.md). The \
         last column tells which adapters meet the fault with every change (`cargo xtask test`); \
         the others meet it by `cargo xtask faults`.\n"
    );
    let adapters = ADAPTERS.join(" | ");
    let _ = writeln!(text, "| | fault | injected by | {adapters} | with every change |");
    let _ = writeln!(text, "|---|---|---|{}---|", "---|".repeat(ADAPTERS.len()));
    for fault in faults {
        let of = |adapter: &str| {
            let mut of = results.iter().filter(|result| result["fault"] == fault.id);
            of.find(|result| result["adapter"] == adapter)
        };
        let Fault { id, name, injected, .. } = fault;
        let _ = write!(text, "| {id} | {name} | {injected} |");
        let cells = match of("core") {
            Some(core) => vec![format!("core: {}", cell(core)); ADAPTERS.len()],
            None => ADAPTERS.iter().map(|name| of(name).map_or_else(String::new, cell)).collect(),
        };
        let _ = writeln!(text, " {} | {} |", cells.join(" | "), fault.with_every_change());
    }
    text
}

fn cell(result: &Value) -> String {
    let also = result["also"].as_array().into_iter().flatten();
    let also = also.map(|record| {
        let trial = record["trial"].as_str().unwrap_or("");
        let name = trial.split_once('_').map_or(trial, |(_, name)| name).replace('_', " ");
        format!("; {name}: {}", figures(record))
    });
    [figures(result)].into_iter().chain(also).collect()
}

fn figures(result: &Value) -> String {
    let verdict = result["verdict"].as_str().unwrap_or("");
    let mut parts = vec![if verdict == "broke" { "**broke**" } else { verdict }.to_owned()];
    if result["second_try"] == true {
        parts.push("at the second try".to_owned());
    }
    if let Some(found) = result["detection_ms"].as_u64() {
        parts.push(format!("told {found} ms"));
    }
    if let Some(outage) = result["outage_ms"].as_u64() {
        parts.push(format!("outage {outage} ms"));
    }
    if let Some(ended) = result["ended_ms"].as_u64() {
        parts.push(format!("ended within {ended} ms"));
    }
    if let Some(errors) = result["errors"].as_u64() {
        parts.push(format!("{errors} errors"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::faults::catalogue;

    #[test]
    fn the_page_has_a_row_of_every_fault_and_a_cell_of_every_adapter() {
        let faults: Vec<_> = catalogue::all().collect();
        let held = json!({ "fault": "A1", "adapter": "bb8", "verdict": "held", "outage_ms": 140,
            "detection_ms": 9, "errors": 2 });
        let also = json!([{ "trial": "a1_lost_packets", "verdict": "skipped" }]);
        let broke =
            json!({ "fault": "A1", "adapter": "diesel_r2d2", "verdict": "broke", "also": also });
        let page = page(&faults, &[held, broke], "made by a test");
        assert!(
            page.contains(
                "| **broke**; lost packets: skipped | held, told 9 ms, outage 140 ms, 2 errors |"
            ),
            "{page}"
        );
        for fault in faults {
            let row = page.lines().find(|line| line.starts_with(&format!("| {} |", fault.id)));
            let cells = row.map(|row| row.matches('|').count());
            assert_eq!(cells, Some(ADAPTERS.len() + 5), "{row:?}");
        }
    }
}
