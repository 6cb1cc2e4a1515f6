//! The figures, for a terminal and as a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::{compile, guard, reasons};
use crate::step::{Step, StepError};

fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if number.abs() < 10.0 => format!("{number:.3}"),
        Some(number) if number.abs() < 1000.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.0}"),
        None => "–".to_owned(),
    }
}

fn met(figure: &Value) -> &'static str {
    match figure["met"].as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}

fn text<'a>(figure: &'a Value, name: &str) -> &'a str {
    figure[name].as_str().unwrap_or("")
}

/// One line for each figure.
pub(super) fn table(figures: &[Value]) -> String {
    let mut table = format!(
        "{:46} {:>10} {:>10} {:>7}  {:16} {:3}  unit\n",
        "figure", "ours", "baseline", "ratio", "target", "met"
    );
    for figure in figures {
        let [ours, baseline, ratio] = ["ours", "baseline", "ratio"].map(|n| number(&figure[n]));
        let (name, target, unit) =
            (text(figure, "name"), text(figure, "target"), text(figure, "unit"));
        let verdict = met(figure);
        let _ = writeln!(
            table,
            "{name:46} {ours:>10} {baseline:>10} {ratio:>7}  {target:16} {verdict:3}  {unit}"
        );
    }
    table
}

/// The page: `docs/performance.md`.
pub(super) fn page(figures: &[Value]) -> Result<String, StepError> {
    let mut page = format!("# Performance\n\n{}\n", head()?);
    page.push_str(&rows(figures));
    page.push_str("\n## What misses its target, and why\n\n");
    let missed: Vec<&Value> = figures.iter().filter(|figure| figure["met"] == false).collect();
    if missed.is_empty() {
        page.push_str("Nothing.\n");
    }
    let counts = guard::stored()?;
    let reasoned = missed.iter().map(|figure| {
        let name = text(figure, "name");
        (name, reasons::of(name, figures, &counts))
    });
    for (names, reason) in together(reasoned) {
        let _ = writeln!(page, "* **{}**: {reason}", names.join("; "));
    }
    page.push_str(&compile::section()?);
    page.push_str(reasons::METHOD);
    Ok(page)
}

/// The names that have the same reason, one after the other, as one.
fn together<'a>(reasoned: impl Iterator<Item = (&'a str, String)>) -> Vec<(Vec<&'a str>, String)> {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for (name, reason) in reasoned {
        match groups.last_mut() {
            Some((names, same)) if *same == reason => names.push(name),
            Some(_) | None => groups.push((vec![name], reason)),
        }
    }
    groups
}

/// The figures as a table of the page.
pub(super) fn rows(figures: &[Value]) -> String {
    let mut rows = "| figure | unit | ours | baseline | ratio | target | met |\n".to_owned();
    rows.push_str("|---|---|---:|---:|---:|---|---|\n");
    for figure in figures {
        let [ours, baseline, ratio] = ["ours", "baseline", "ratio"].map(|n| number(&figure[n]));
        let (name, unit, target) =
            (text(figure, "name"), text(figure, "unit"), text(figure, "target"));
        let verdict = met(figure);
        let _ = writeln!(
            rows,
            "| {name} | {unit} | {ours} | {baseline} | {ratio} | {target} | {verdict} |"
        );
    }
    rows
}

/// Today.
pub(super) fn date() -> Result<String, StepError> {
    let date = Step::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8_lossy(&date).trim().to_owned())
}

/// The machine, the day and the command.
fn head() -> Result<String, StepError> {
    let date = date()?;
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = processors.lines().filter(|line| line.starts_with("model name"));
    let model = named.clone().next().and_then(|line| line.split_once(": ")).map(|pair| pair.1);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    Ok(format!(
        "`cargo xtask bench --write`, {date}: {} × {}, {}. Load of the machine at the end: {load} \
         (with more than one per core the times of whole statements are those of a busy machine; \
         ratios are taken round by round and hold).\n",
        named.count(),
        model.unwrap_or("processor unknown"),
        compiler(),
    ))
}

/// What the programs were built with.
pub(super) fn compiler() -> String {
    let version = Step::new("rustc").args(["--version"]).output().unwrap_or_default();
    String::from_utf8_lossy(&version).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_misses_its_target_is_named_with_a_reason() {
        let figure = |name: &str, met: Option<bool>| {
            json!({"name": name, "unit": "ns", "ours": 35.5, "baseline": null, "ratio": null,
                   "target": "≤ 30 ns", "met": met})
        };
        let all = [figure("classify", Some(false)), figure("b", Some(true)), figure("c", None)];
        let page = page(&all).unwrap();
        assert!(page.contains("| classify | ns | 35.5 | – | – | ≤ 30 ns | no |"), "{page}");
        assert!(page.contains("* **classify**: "), "{page}");
        assert!(!page.contains("* **b**") && !page.contains("* **c**"), "{page}");
        assert_eq!(table(&all).lines().count(), 4);
    }
}
