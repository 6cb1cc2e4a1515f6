//! What came of many seeds.

use std::time::Duration;

use aurora_core::simulation::Report;

/// The sum of many reports.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    seeds: u64,
    simulated: Duration,
    faults: u64,
    failovers: u64,
    acknowledged: u64,
    checks: u64,
    violations: Vec<(u64, String)>,
}

impl Summary {
    /// Adds the report of one seed.
    pub fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.simulated += report.simulated;
        self.faults += report.faults;
        self.failovers += report.failovers;
        self.acknowledged += report.acknowledged;
        self.checks += report.checks;
        let seed = report.seed;
        self.violations.extend(report.violations.into_iter().map(|violation| (seed, violation)));
    }

    /// How many seeds were lived.
    #[must_use]
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// How often an invariant was checked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks
    }

    /// What was violated, and by which seed.
    #[must_use]
    pub fn violations(&self) -> &[(u64, String)] {
        &self.violations
    }

    /// The sums as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "seeds": self.seeds,
            "simulated_hours": (self.simulated.as_secs_f64() / 36.0).round() / 100.0,
            "faults": self.faults,
            "failovers": self.failovers,
            "acknowledged": self.acknowledged,
            "checks": self.checks,
            "violations": self.violations.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_all_reports_and_violations_keep_their_seed() {
        let mut report = Report::default();
        (report.seed, report.checks, report.simulated) = (7, 5, Duration::from_secs(360));
        let mut summary = Summary::default();
        summary.add(report.clone());
        report.seed = 8;
        report.violations.push("a lie".to_owned());
        summary.add(report);
        let json = summary.to_json();
        assert_eq!((&json["seeds"], &json["checks"]), (&2.into(), &10.into()));
        assert_eq!((&json["simulated_hours"], &json["violations"]), (&0.2.into(), &1.into()));
        assert_eq!(summary.violations(), [(8, "a lie".to_owned())]);
    }
}
