//! What came of it, as a table and as JSON.

use std::io::Write as _;

use serde_json::json;

use crate::share::{LAG, Row};
use crate::{Failed, bounded, pairs};

/// All results.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) session: pairs::Outcome,
    pub(crate) token: pairs::Outcome,
    pub(crate) eventual: pairs::Outcome,
    pub(crate) bounded: bounded::Outcome,
    pub(crate) share: Vec<Row>,
}

impl Report {
    /// Prints everything, and tells whether all promises were kept.
    pub(crate) fn print(&self, json: bool) -> Result<bool, Failed> {
        let mut out = std::io::stdout();
        if json {
            writeln!(out, "{}", self.to_json())?;
        } else {
            writeln!(out, "{}", self.lines().join("\n"))?;
        }
        Ok(self.problems().is_empty())
    }

    fn problems(&self) -> Vec<&'static str> {
        let in_table = self.share.iter().any(|row| row.stale > 0);
        let all = [
            (self.session.stale > 0 || in_table, "a session missed what it wrote"),
            (self.token.stale > 0, "a token's reads missed what it stands for"),
            (self.eventual.stale == 0, "the check found nothing where nothing was promised"),
            (!self.bounded.is_kept(), "a read was older than its bound"),
        ];
        all.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, text)| text).collect()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("session:       {}", self.session),
            format!("by token:      {}", self.token),
            format!("eventual:      {}", self.eventual),
            format!("bounded 200ms: {}", self.bounded),
            String::new(),
            format!("reads served by readers that lag {LAG:?}, of a session that writes:"),
            "| writes/s | wait | ours | mean read | stick to the writer for 2 s |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        lines.extend(self.share.iter().map(|row| {
            let Row { writes_per_second, wait, ours, stick, mean, .. } = row;
            let mean = mean.as_secs_f64() * 1e3;
            format!(
                "| {writes_per_second} | {wait} ms | {ours:.1} % | {mean:.2} ms | {stick:.1} % |"
            )
        }));
        let problems = self.problems();
        lines.push(match problems.is_empty() {
            true => "every promise was kept".to_owned(),
            false => format!("BROKEN: {}", problems.join("; ")),
        });
        lines
    }

    fn to_json(&self) -> serde_json::Value {
        let pairs = |outcome: &pairs::Outcome| {
            json!({
                "pairs": outcome.pairs,
                "reads": outcome.reads,
                "stale": outcome.stale,
                "by_readers_percent": outcome.by_readers,
            })
        };
        let share: Vec<_> = self
            .share
            .iter()
            .map(|row| {
                json!({
                    "writes_per_second": row.writes_per_second,
                    "wait_seconds": f64::from(row.wait) / 1e3,
                    "ours_percent": row.ours,
                    "stick_percent": row.stick,
                    "mean_read_seconds": row.mean.as_secs_f64(),
                    "stale": row.stale,
                })
            })
            .collect();
        json!({
            "seed": self.seed,
            "session": pairs(&self.session),
            "token": pairs(&self.token),
            "eventual": pairs(&self.eventual),
            "bounded": {
                "reads": self.bounded.reads,
                "oldest_seconds": self.bounded.oldest.as_secs_f64(),
                "by_readers_percent": self.bounded.by_readers,
            },
            "share": share,
            "problems": self.problems(),
        })
    }
}
