//! The matrix of faults and adapters, for a terminal and as a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::catalogue::{ADAPTERS, Engine, Fault};

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

/// What a part of the page begins with.
fn heading(engine: Engine) -> String {
    format!("## {}\n\n", engine.title())
}

/// The page `docs/faults.md` as it was, with another part of this engine.
pub(super) fn page(before: &str, engine: Engine, part: &str) -> String {
    let heading = heading(engine);
    let (head, rest) = before.split_once(&heading).unwrap_or((before, ""));
    let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
    let head = if head.ends_with("\n\n") { head.to_owned() } else { format!("{head}\n") };
    format!("{head}{heading}{part}{after}")
}

/// One engine's part of the page.
pub(super) fn part(engine: Engine, faults: &[&Fault], results: &[Value], head: &str) -> String {
    let adapters = ADAPTERS.join(" | ");
    let mut text = format!("{head}\n\n");
    let _ = writeln!(text, "| | fault | injected by | {adapters} | with every change |");
    let _ = writeln!(text, "|---|---|---|{}---|", "---|".repeat(ADAPTERS.len()));
    let is_never = |fault: &&&Fault| engine == Engine::Mysql && fault.mysql.never.is_some();
    for fault in faults.iter().filter(|fault| !is_never(fault)) {
        let of = |adapter: &str| {
            let mut of = results.iter().filter(|result| result["fault"] == fault.id);
            of.find(|result| result["adapter"] == adapter)
        };
        let Fault { id, name, .. } = fault;
        let _ = write!(text, "| {id} | {name} | {} |", fault.injected(engine));
        let cells = match of("core") {
            Some(core) => vec![format!("core: {}", cell(core)); ADAPTERS.len()],
            None => ADAPTERS.iter().map(|name| of(name).map_or_else(String::new, cell)).collect(),
        };
        let _ = writeln!(text, " {} | {} |", cells.join(" | "), fault.with_every_change());
    }
    let mut never = faults.iter().filter(is_never).peekable();
    if never.peek().is_some() {
        text.push_str("\nNot in this table:\n\n");
    }
    for fault in never {
        let reason = fault.mysql.never.unwrap_or_default();
        let _ = writeln!(text, "* {}, {}: {reason}.", fault.id, fault.name);
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
    fn a_part_has_a_row_of_every_fault_and_a_cell_of_every_adapter() {
        let faults: Vec<_> = catalogue::all().collect();
        let held = json!({ "fault": "A1", "adapter": "bb8", "verdict": "held", "outage_ms": 140,
            "detection_ms": 9, "errors": 2 });
        let also = json!([{ "trial": "a1_lost_packets", "verdict": "skipped" }]);
        let broke =
            json!({ "fault": "A1", "adapter": "diesel_r2d2", "verdict": "broke", "also": also });
        let part = part(Engine::Postgres, &faults, &[held, broke], "made by a test");
        assert!(
            part.contains(
                "| **broke**; lost packets: skipped | held, told 9 ms, outage 140 ms, 2 errors |"
            ),
            "{part}"
        );
        for fault in faults {
            let row = part.lines().find(|line| line.starts_with(&format!("| {} |", fault.id)));
            let cells = row.map(|row| row.matches('|').count());
            assert_eq!(cells, Some(ADAPTERS.len() + 5), "{row:?}");
        }
    }

    #[test]
    fn what_is_not_for_an_engine_is_told_below_its_table() {
        let faults: Vec<_> = catalogue::all().collect();
        let part = part(Engine::Mysql, &faults, &[], "made by a test");
        for fault in faults {
            let row = part.lines().any(|line| line.starts_with(&format!("| {} |", fault.id)));
            let never = part.lines().any(|line| line.starts_with(&format!("* {},", fault.id)));
            assert_eq!((row, never), (!never, fault.mysql.never.is_some()), "{fault:?}");
        }
    }

    #[test]
    fn a_part_is_replaced_and_the_other_stays() {
        let once = page("# Faults\n\nWords.\n", Engine::Postgres, "one\n");
        assert_eq!(once, "# Faults\n\nWords.\n\n## PostgreSQL\n\none\n");
        let both = page(&once, Engine::Mysql, "two\n");
        assert_eq!(both, format!("{once}\n## MySQL\n\ntwo\n"));
        let other = page(&both, Engine::Postgres, "three\n");
        assert_eq!(other, both.replace("one", "three"));
        assert_eq!(page(&both, Engine::Mysql, "two\n"), both);
    }
}
