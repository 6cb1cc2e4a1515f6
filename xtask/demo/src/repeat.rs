//! Several runs together: sums, and medians of what the faults cost.

use serde_json::{Map, Value, json};

use crate::failover::{Failover, FaultKind, millis};
use crate::report::Report;

/// The fields of a run that are added up.
const SUMS: [&str; 13] = [
    "acknowledged",
    "lost",
    "duplicated",
    "not_applied",
    "wrong_outcome",
    "unknown",
    "unknown_committed",
    "reads",
    "failed_reads",
    "refused_read_only",
    "refused_after_writer_known",
    "errors_at_failover",
    "other_errors",
];

/// The runs as one JSON object: the one run itself, or the sums of several with each of them.
pub(crate) fn to_json(reports: &[Report]) -> Value {
    let runs: Vec<Value> = reports.iter().map(Report::to_json).collect();
    if let [run] = runs.as_slice() {
        return run.clone();
    }
    let mut all = Map::new();
    let passed = reports.iter().all(|report| report.problems().is_empty());
    all.insert("passed".to_owned(), json!(passed));
    for field in SUMS {
        let sum: u64 = runs.iter().filter_map(|run| run[field].as_u64()).sum();
        all.insert(field.to_owned(), json!(sum));
    }
    let mut reads = Map::new();
    for (name, count) in reports.iter().flat_map(|report| &report.reads_by_instance) {
        let before = reads.get(name).and_then(Value::as_u64).unwrap_or(0);
        reads.insert(name.clone(), json!(before + count));
    }
    all.insert("reads_by_instance".to_owned(), Value::Object(reads));
    let failovers: Vec<Value> =
        runs.iter().filter_map(|run| run["failovers"].as_array()).flatten().cloned().collect();
    all.insert("failovers".to_owned(), Value::Array(failovers));
    let medians: Vec<Value> = medians(reports).iter().map(Median::to_json).collect();
    all.insert("medians".to_owned(), Value::Array(medians));
    all.insert("runs".to_owned(), Value::Array(runs));
    Value::Object(all)
}

/// The medians of several runs for a human.
pub(crate) fn lines(reports: &[Report]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<24}{:>10}{:>12}{:>14}{:>18}",
        format!("medians of {} runs", reports.len()),
        "outage",
        "floor",
        "above floor",
        "most above floor"
    )];
    lines.extend(medians(reports).iter().map(|m| {
        let cell = |time: f64| format!("{time:.1} ms");
        format!(
            "  {:<22}{:>10}{:>12}{:>14}{:>18}",
            m.kind.as_str(),
            cell(m.outage),
            cell(m.floor),
            cell(m.above_floor),
            cell(m.worst)
        )
    }));
    lines
}

/// The medians over all faults of one kind, in milliseconds.
struct Median {
    kind: FaultKind,
    outage: f64,
    floor: f64,
    above_floor: f64,
    worst: f64,
}

impl Median {
    fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.as_str(),
            "outage_ms": self.outage,
            "floor_ms": self.floor,
            "above_floor_ms": self.above_floor,
            "most_above_floor_ms": self.worst,
        })
    }
}

fn medians(reports: &[Report]) -> Vec<Median> {
    let of_kind = |kind| {
        let all = || reports.iter().flat_map(|report| &report.failovers);
        let values = |what: fn(&Failover) -> Option<f64>| {
            all().filter(|failover| failover.kind == kind).filter_map(what).collect::<Vec<f64>>()
        };
        let above = values(Failover::above_floor);
        Some(Median {
            kind,
            outage: median(values(|failover| failover.outage.map(millis)))?,
            floor: median(values(|failover| failover.floor.map(millis)))?,
            worst: above.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            above_floor: median(above)?,
        })
    };
    [FaultKind::Kill, FaultKind::Switchover].into_iter().filter_map(of_kind).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if !odd.is_multiple_of(2) => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn several_runs_are_added_up_and_one_run_is_itself() {
        let one = to_json(&[report(130)]);
        assert!(one.get("runs").is_none());
        let three = to_json(&[report(130), report(150), report(110)]);
        assert_eq!(three["acknowledged"], json!(3 * 1_234_567));
        assert_eq!(three["failovers"].as_array().unwrap().len(), 3);
        assert_eq!(three["reads_by_instance"]["127.20.0.2:5432"], json!(30));
        assert_eq!(three["medians"][0]["above_floor_ms"], json!(30.0));
        assert_eq!(three["medians"][0]["most_above_floor_ms"], json!(50.0));
    }
}
