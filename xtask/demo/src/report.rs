//! The result of one run.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::failover::{Failover, millis};
use crate::ledger::{Money, Verdict};

/// Everything a run found out.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) adapter: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) money: Money,
    pub(crate) reads: u64,
    pub(crate) failed_reads: u64,
    pub(crate) refused_read_only: u64,
    pub(crate) refused_after_writer_known: u64,
    pub(crate) other_errors: u64,
    /// Threads that did not end when they were told to.
    pub(crate) hanging: u64,
    pub(crate) reads_by_instance: Vec<(String, u64)>,
    /// For every steady period, each reader's share of the reads.
    pub(crate) shares: Vec<Vec<(String, f64)>>,
    pub(crate) failovers: Vec<Failover>,
    pub(crate) journal: Vec<(Duration, String)>,
}

impl Report {
    /// What went wrong that must never go wrong; empty when the run is a success.
    pub(crate) fn problems(&self) -> Vec<String> {
        let counted = [
            (self.verdict.lost, "acknowledged writes lost"),
            (self.verdict.duplicated, "writes duplicated"),
            (self.verdict.wrong_outcome, "writes in the database that were reported not applied"),
            (self.failed_reads, "reads failed"),
            (self.hanging, "threads hang"),
        ];
        let mut problems: Vec<String> = counted
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        if self.hanging == 0 && !self.money.agrees_with(&self.verdict) {
            problems.push(format!("money is not conserved: {:?}", self.money));
        }
        let stuck = self.failovers.iter().filter(|failover| failover.outage.is_none());
        problems.extend(stuck.map(|f| format!("no write after the {}", f.kind.as_str())));
        problems
    }

    /// Errors the application saw at the faults.
    pub(crate) fn errors_at_failover(&self) -> u64 {
        self.failovers.iter().map(Failover::errors).sum()
    }

    /// The result for a machine.
    pub(crate) fn to_json(&self) -> Value {
        let by_instance: Map<String, Value> =
            self.reads_by_instance.iter().map(|(name, n)| (name.clone(), json!(n))).collect();
        let shares: Vec<Map<String, Value>> = self
            .shares
            .iter()
            .map(|period| period.iter().map(|(name, s)| (name.clone(), json!(s))).collect())
            .collect();
        let journal: Vec<String> = self
            .journal
            .iter()
            .map(|(at, line)| format!("{:.3} {line}", at.as_secs_f64()))
            .collect();
        json!({
            "adapter": self.adapter,
            "passed": self.problems().is_empty(),
            "problems": self.problems(),
            "acknowledged": self.verdict.acknowledged,
            "lost": self.verdict.lost,
            "duplicated": self.verdict.duplicated,
            "not_applied": self.verdict.not_applied,
            "wrong_outcome": self.verdict.wrong_outcome,
            "unknown": self.verdict.unknown,
            "unknown_committed": self.verdict.unknown_committed,
            "money_conserved": self.money.agrees_with(&self.verdict),
            "reads": self.reads,
            "failed_reads": self.failed_reads,
            "refused_read_only": self.refused_read_only,
            "refused_after_writer_known": self.refused_after_writer_known,
            "errors_at_failover": self.errors_at_failover(),
            "other_errors": self.other_errors,
            "hanging": self.hanging,
            "reads_by_instance": by_instance,
            "steady_read_shares": shares,
            "failovers": self.failovers.iter().map(failover).collect::<Vec<_>>(),
            "events": journal,
        })
    }

    /// The result for a human.
    pub(crate) fn lines(&self) -> Vec<String> {
        let v = &self.verdict;
        let row = |what: &str, number: u64, and: &str, other: u64| {
            format!("  {what:<26}{:>12}   {and:<34}{:>8}", grouped(number), grouped(other))
        };
        let one = |what: &str, number: u64| format!("  {what:<26}{:>12}", grouped(number));
        let mut lines = vec![
            "ledger".to_owned(),
            one("acknowledged writes", v.acknowledged),
            one("lost", v.lost),
            one("duplicated", v.duplicated),
            row("unknown", v.unknown, "of which had committed", v.unknown_committed),
            row("reported not applied", v.not_applied, "of which had committed", v.wrong_outcome),
            row("reads", self.reads, "failed", self.failed_reads),
            row(
                "refused as read-only",
                self.refused_read_only,
                "after the new writer was known",
                self.refused_after_writer_known,
            ),
            row(
                "errors at the failovers",
                self.errors_at_failover(),
                "elsewhere",
                self.other_errors,
            ),
            self.money_line(),
            String::new(),
        ];
        lines.extend(self.read_lines());
        lines.push(String::new());
        lines.extend(self.failover_lines());
        lines.push(String::new());
        let problems = self.problems();
        lines.push(if problems.is_empty() {
            "passed: nothing lost, nothing duplicated, no read failed".to_owned()
        } else {
            format!("FAILED: {}", problems.join("; "))
        });
        lines
    }

    fn money_line(&self) -> String {
        let m = &self.money;
        if m.agrees_with(&self.verdict) {
            let sum = self.verdict.moved;
            return format!(
                "  money is conserved: accounts = tellers = branches = history = ledger = {sum}"
            );
        }
        format!(
            "  MONEY: accounts {}, tellers {}, branches {}, history {}, ledger {}",
            m.accounts, m.tellers, m.branches, m.history, self.verdict.moved
        )
    }

    fn read_lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<28}{:>12}   share of the reads while it was one of two readers",
            "reads per instance", "total"
        )];
        for (name, reads) in &self.reads_by_instance {
            let shares: Vec<String> = self
                .shares
                .iter()
                .filter_map(|period| period.iter().find(|(reader, _)| reader == name))
                .map(|(_, share)| format!("{:.1} %", share * 100.0))
                .collect();
            lines.push(format!("  {name:<26}{:>12}   {}", grouped(*reads), shares.join(", ")));
        }
        lines
    }

    fn failover_lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<20}{:>12}{:>12}{:>14}{:>10}{:>20}",
            "failovers", "outage", "floor", "above floor", "errors", "most in a thread"
        )];
        let time = |time: Option<f64>| time.map_or("none".to_owned(), |ms| format!("{ms:.1} ms"));
        for f in &self.failovers {
            lines.push(format!(
                "  {:<18}{:>12}{:>12}{:>14}{:>10}{:>20}",
                f.kind.as_str(),
                time(f.outage.map(millis)),
                time(f.floor.map(millis)),
                time(f.above_floor()),
                f.errors(),
                f.worst_thread()
            ));
        }
        lines
    }
}

fn failover(failover: &Failover) -> Value {
    let rounded = |time: f64| (time * 1000.0).round() / 1000.0;
    json!({
        "kind": failover.kind.as_str(),
        "outage_ms": failover.outage.map(millis).map(rounded),
        "floor_ms": failover.floor.map(millis).map(rounded),
        "above_floor_ms": failover.above_floor().map(rounded),
        "errors": failover.errors(),
        "errors_of_one_thread": failover.worst_thread(),
    })
}

/// A number with a comma after every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use super::*;
    use crate::failover::FaultKind;

    pub(crate) fn report(outage: u64) -> Report {
        let mut kill = Failover::new(FaultKind::Kill, Instant::now(), [127, 0, 0, 2].into());
        kill.outage = Some(Duration::from_millis(outage));
        kill.floor = Some(Duration::from_millis(100));
        Report {
            adapter: "test",
            verdict: Verdict { acknowledged: 1_234_567, moved: 5, ..Verdict::default() },
            money: Money { accounts: 5, tellers: 5, branches: 5, history: 5 },
            reads: 10,
            failed_reads: 0,
            refused_read_only: 0,
            refused_after_writer_known: 0,
            other_errors: 0,
            hanging: 0,
            reads_by_instance: vec![("127.20.0.2:5432".to_owned(), 10)],
            shares: vec![vec![("127.20.0.2:5432".to_owned(), 0.5)]],
            failovers: vec![kill],
            journal: Vec::new(),
        }
    }

    #[test]
    fn a_good_run_has_no_problems_and_fits_the_screen() {
        let report = report(130);
        assert_eq!(report.problems(), [""; 0]);
        assert!(report.lines().iter().all(|line| line.chars().count() <= 100));
        assert!(report.lines().iter().any(|line| line.contains("1,234,567")));
    }

    #[test]
    fn each_thing_that_must_never_be_is_a_problem() {
        let spoil: [fn(&mut Report); 7] = [
            |r| r.verdict.lost = 1,
            |r| r.verdict.duplicated = 1,
            |r| r.verdict.wrong_outcome = 1,
            |r| r.failed_reads = 1,
            |r| r.hanging = 1,
            |r| r.money.tellers = 6,
            |r| r.failovers[0].outage = None,
        ];
        for spoil in spoil {
            let mut report = report(130);
            spoil(&mut report);
            assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
            assert_eq!(report.to_json()["passed"], json!(false));
        }
    }

    #[test]
    fn the_json_has_the_fields_that_scripts_rely_on() {
        let value = report(130).to_json();
        let numbers = [
            "acknowledged",
            "lost",
            "duplicated",
            "unknown",
            "unknown_committed",
            "reads",
            "failed_reads",
            "refused_read_only",
            "refused_after_writer_known",
            "errors_at_failover",
        ];
        for name in numbers {
            assert!(value[name].is_u64(), "{name}");
        }
        assert_eq!(value["reads_by_instance"]["127.20.0.2:5432"], json!(10));
        assert_eq!(value["failovers"][0]["kind"], json!("kill -9"));
        assert_eq!(value["failovers"][0]["outage_ms"], json!(130.0));
        assert_eq!(value["failovers"][0]["floor_ms"], json!(100.0));
    }
}
