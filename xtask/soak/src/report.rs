//! The result, for people and as JSON; pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::Verdict;
use crate::score::{Episode, RECOVERY, Score};

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    pub(crate) score: Score,
    pub(crate) episodes: Vec<Episode>,
    /// Workers that did not end.
    pub(crate) hanging: usize,
    pub(crate) length: Duration,
    /// What was wrong with the cluster in the end.
    pub(crate) problems: Vec<String>,
}

/// All faults of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    times: u64,
    errors: u64,
    outage: Duration,
    /// The longest; none if once not everything succeeded again.
    recovery: Option<Duration>,
}

impl Report {
    /// The promises that were broken, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let (verdict, score) = (&self.verdict, &self.score);
        let none = [
            (verdict.lost as u64, "acknowledged rows are lost"),
            (verdict.duplicated as u64, "rows are there twice, or were written by nobody"),
            (verdict.wrong as u64, "errors are wrong about the outcome"),
            (verdict.torn as u64, "transactions are torn"),
            (score.past_deadline, "operations took longer than their deadline"),
            (self.hanging as u64, "workers hang"),
            (score.unprovoked, "failures without a fault"),
            (score.strange, "failures are of an unexpected kind"),
            (score.secrets, "errors show the password"),
            (self.slow(), "faults after which not everything succeeded within 3 s"),
            (u64::from(score.acknowledged == 0), "of the things to be done: nothing was written"),
        ];
        let broken = none.iter().filter(|(count, _)| *count > 0);
        let broken = broken.map(|(count, what)| format!("{count} {what}"));
        broken.chain(self.problems.iter().cloned()).collect()
    }

    fn slow(&self) -> u64 {
        let slow = |episode: &&Episode| episode.recovery().is_none_or(|time| time > RECOVERY);
        self.episodes.iter().filter(slow).count() as u64
    }

    fn outage(&self) -> Duration {
        self.episodes.iter().map(|episode| episode.outage).max().unwrap_or_default()
    }

    fn recovery(&self) -> Option<Duration> {
        let all: Option<Vec<_>> = self.episodes.iter().map(Episode::recovery).collect();
        all.map(|times| times.into_iter().max().unwrap_or_default())
    }

    fn kinds(&self) -> BTreeMap<String, Kind> {
        let mut kinds = BTreeMap::<String, Kind>::new();
        for episode in &self.episodes {
            let first = Kind { recovery: Some(Duration::ZERO), ..Kind::default() };
            let kind = kinds.entry(episode.strike.fault.name()).or_insert(first);
            kind.times += 1;
            kind.errors += episode.errors;
            kind.outage = kind.outage.max(episode.outage);
            let longer = |(one, other): (Duration, Duration)| one.max(other);
            kind.recovery = kind.recovery.zip(episode.recovery()).map(longer);
        }
        kinds
    }

    /// What is printed for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<30}{:>6}{:>8}{:>16}{:>18}",
            "fault", "times", "errors", "longest outage", "longest recovery"
        )];
        for (name, kind) in self.kinds() {
            let recovery = kind.recovery.map_or("none".to_owned(), seconds);
            let (times, errors, outage) = (kind.times, kind.errors, seconds(kind.outage));
            lines.push(format!("{name:<30}{times:>6}{errors:>8}{outage:>16}{recovery:>18}"));
        }
        let (verdict, score) = (&self.verdict, &self.score);
        lines.push(format!("{} faults; {score}", self.episodes.len()));
        lines.push(format!(
            "outcomes unknown: {} rows, of which {} are there; writes refused as read-only: {}",
            verdict.unknown, verdict.unknown_stored, score.refused
        ));
        let (longest, late) = (seconds(score.longest), score.past_deadline);
        lines.push(format!("longest operation {longest}, {late} past the deadline"));
        let Verdict { lost, duplicated, wrong, torn, .. } = verdict;
        lines.push(format!("{lost} lost, {duplicated} duplicated, {wrong} wrong, {torn} torn"));
        lines.extend(verdict.details.iter().chain(&score.details).cloned());
        lines.extend(self.problems().iter().map(|problem| format!("FAILED: {problem}")));
        lines
    }

    /// What is printed for programs.
    pub(crate) fn to_json(&self, seed: u64) -> Value {
        let (verdict, score) = (&self.verdict, &self.score);
        let kinds = self.kinds().into_iter().map(|(name, kind)| (name, kind.to_json()));
        json!({
            "passed": self.problems().is_empty(),
            "seed": seed,
            "seconds": self.length.as_secs_f64(),
            "faults": self.episodes.len(),
            "writes": score.acknowledged,
            "reads": score.reads,
            "errors": score.errors,
            "failed_reads": score.failed_reads,
            "unknown": verdict.unknown,
            "unknown_stored": verdict.unknown_stored,
            "refused": score.refused,
            "strange": score.strange,
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "wrong_outcomes": verdict.wrong,
            "torn": verdict.torn,
            "past_deadline": score.past_deadline,
            "hanging": self.hanging,
            "unprovoked": score.unprovoked,
            "slow_recoveries": self.slow(),
            "longest_outage_ms": millis(self.outage()),
            "longest_recovery_ms": self.recovery().map(millis),
            "longest_operation_ms": millis(score.longest),
            "by_fault": kinds.collect::<serde_json::Map<_, _>>(),
            "problems": self.problems(),
        })
    }
}

impl Kind {
    fn to_json(self) -> Value {
        json!({
            "times": self.times,
            "errors": self.errors,
            "longest_outage_ms": millis(self.outage),
            "longest_recovery_ms": self.recovery.map(millis),
        })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, reads, errors, failed_reads, .. } = self;
        write!(f, "{acknowledged} writes, {errors} failed; {reads} reads, {failed_reads} failed")
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { strike, errors, outage, mishaps, .. } = self;
        let recovery = match self.recovery() {
            Some(time) => format!("all well {} after it was lifted", seconds(time)),
            None => "not all well yet".to_owned(),
        };
        let mishaps = if *mishaps > 0 { format!("{mishaps} mishaps, ") } else { String::new() };
        let outage = seconds(*outage);
        write!(f, "{strike}: {mishaps}{errors} errors, outage {outage}, {recovery}")
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::plan::Plan;

    fn report() -> Report {
        let start = Instant::now();
        let mut score = Score::new(start, 0, Duration::from_secs(5));
        score.acknowledged = 9;
        let mut episode = Episode::new(Plan::new(1, None).next().unwrap(), 0);
        episode.lift(episode.struck, 1);
        Report {
            verdict: Verdict::default(),
            score,
            episodes: vec![episode],
            hanging: 0,
            length: Duration::from_secs(60),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_good_run_has_passed() {
        let report = report();
        assert_eq!(report.problems(), [""; 0]);
        let value = report.to_json(7);
        assert_eq!(
            (&value["passed"], &value["seed"], &value["faults"]),
            (&true.into(), &7.into(), &1.into())
        );
        let name = report.episodes[0].strike.fault.name();
        assert_eq!(value["by_fault"][name]["longest_recovery_ms"], 0);
        assert!(report.lines().iter().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn each_broken_promise_is_a_problem() {
        let spoil: [fn(&mut Report); 12] = [
            |r| r.verdict.lost = 1,
            |r| r.verdict.duplicated = 1,
            |r| r.verdict.wrong = 1,
            |r| r.verdict.torn = 1,
            |r| r.score.past_deadline = 1,
            |r| r.hanging = 1,
            |r| r.score.unprovoked = 1,
            |r| r.score.strange = 1,
            |r| r.score.secrets = 1,
            |r| r.episodes[0].lifted = None,
            |r| r.score.acknowledged = 0,
            |r| r.problems.push("a leak".to_owned()),
        ];
        for spoil in spoil {
            let mut report = report();
            spoil(&mut report);
            assert_eq!(report.problems().len(), 1, "{:?}", report.problems());
            assert_eq!(report.to_json(1)["passed"], false);
        }
    }
}
