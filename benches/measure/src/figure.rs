//! One measured figure, and what it should be.

use crate::Comparison;

/// What a figure should be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The figure itself.
    AtMost(f64),
    /// The figure divided by that of the baseline.
    RatioAtMost(f64),
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    name: String,
    unit: &'static str,
    ours: f64,
    baseline: Option<f64>,
    ratio: Option<f64>,
    target: Option<String>,
    met: Option<bool>,
}

impl Figure {
    /// A figure alone.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        let (baseline, ratio, target, met) = (None, None, None, None);
        Self { name: name.into(), unit, ours, baseline, ratio, target, met }
    }

    /// The median times that a comparison found, in units of which a second has `per_second`.
    #[must_use]
    pub fn times(
        name: impl Into<String>,
        (unit, per_second): (&'static str, f64),
        found: &Comparison,
    ) -> Self {
        let [ours, baseline] = [found.ours, found.baseline].map(|t| t.as_secs_f64() * per_second);
        let (baseline, ratio) = (Some(baseline), Some(found.ratio));
        Self { baseline, ratio, ..Self::new(name, unit, ours) }
    }

    /// The same beside the figure of the baseline.
    #[must_use]
    pub fn beside(self, baseline: f64) -> Self {
        Self { baseline: Some(baseline), ratio: Some(self.ours / baseline), ..self }
    }

    /// The same with what it should be. A ratio that is not known is not met.
    #[must_use]
    pub fn with_goal(self, goal: Goal) -> Self {
        let (target, met) = match goal {
            Goal::AtMost(limit) => (format!("≤ {limit} {}", self.unit), self.ours <= limit),
            Goal::RatioAtMost(limit) => {
                (format!("ratio ≤ {limit}"), self.ratio.is_some_and(|ratio| ratio <= limit))
            }
        };
        Self { target: Some(target), met: Some(met), ..self }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the program that called.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "target": self.target,
            "met": self.met,
        })
    }

    /// For people.
    #[must_use]
    pub fn line(&self) -> String {
        let beside = match (self.baseline, self.ratio) {
            (Some(baseline), Some(ratio)) => format!("baseline {baseline:>10.2}  ratio {ratio:.3}"),
            _ => String::new(),
        };
        let verdict = match (&self.target, self.met) {
            (Some(target), Some(true)) => format!("  {target}: met"),
            (Some(target), _) => format!("  {target}: MISSED"),
            (None, _) => String::new(),
        };
        format!("{:<44} {:>10.2} {:<8} {beside}{verdict}", self.name, self.ours, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_can_be_missed() {
        let figure = Figure::new("route", "ns", 101.0).beside(100.0);
        let met = |goal| figure.clone().with_goal(goal).met;
        assert_eq!(met(Goal::AtMost(100.0)), Some(false));
        assert_eq!(met(Goal::AtMost(101.0)), Some(true));
        assert_eq!(met(Goal::RatioAtMost(1.0)), Some(false));
        assert_eq!(met(Goal::RatioAtMost(1.02)), Some(true));
        let alone = Figure::new("route", "ns", 1.0).with_goal(Goal::RatioAtMost(9.0));
        assert_eq!(alone.met, Some(false), "nothing to compare with");
        assert!(alone.line().contains("MISSED"), "{}", alone.line());
    }

    #[test]
    fn it_is_written_with_the_names_that_the_command_reads() {
        let json = Figure::new("a", "ns", 1.0).json();
        let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names, ["baseline", "met", "name", "ours", "ratio", "target", "unit"]);
    }
}
