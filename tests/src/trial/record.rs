//! What becomes of a trial, as a file for `cargo xtask faults`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::Score;

/// The directory the records go to; without it none is written.
const DIRECTORY: &str = "AURORA_FAULTS_DIR";

/// The record of one fault and one adapter. It says "broke" until the trial has held to its end,
/// so that it is right however the trial ends.
#[derive(Debug)]
pub(super) struct Record {
    file: Option<PathBuf>,
    began: Instant,
    content: Value,
}

impl Record {
    /// `fault` begins with the number in the catalogue.
    pub(super) fn begin(fault: &str, adapter: &str) -> Self {
        let id = fault.split('_').next().unwrap_or(fault).to_uppercase();
        let directory = std::env::var_os(DIRECTORY);
        let file =
            directory.map(|path| PathBuf::from(path).join(format!("{fault}-{adapter}.json")));
        let content =
            json!({ "fault": id, "trial": fault, "adapter": adapter, "verdict": "broke" });
        let record = Self { file, began: Instant::now(), content };
        record.write();
        record
    }

    pub(super) fn note(
        &mut self,
        score: &Score,
        detection: Option<Duration>,
        connects: u64,
        problems: &[String],
    ) {
        for (name, value) in [
            ("detection_ms", detection.map_or(Value::Null, millis)),
            ("outage_ms", millis(score.outage)),
            ("longest_ms", millis(score.longest)),
            ("writes", score.acknowledged.into()),
            ("reads", score.reads.into()),
            ("errors", score.errors.into()),
            ("unknown", score.unknown.into()),
            ("failed_reads", score.failed_reads.into()),
            ("refused", score.refused.into()),
            ("lost", score.lost.into()),
            ("duplicated", score.duplicated.into()),
            ("wrong_outcomes", score.wrong.into()),
            ("torn", score.torn.into()),
            ("connects", connects.into()),
            ("problems", problems.into()),
        ] {
            self.content[name] = value;
        }
        self.write();
    }

    /// A figure that only this fault has.
    pub(super) fn figure(&mut self, name: &str, duration: Duration) {
        self.content[name] = millis(duration);
    }

    /// Nothing broke.
    pub(super) fn held(&mut self) {
        self.content["verdict"] = "held".into();
        self.content["seconds"] = self.began.elapsed().as_secs_f64().into();
        self.write();
    }

    /// This machine cannot bring the fault about.
    pub(super) fn skipped(&mut self, reason: &str) {
        self.content["verdict"] = "skipped".into();
        self.content["reason"] = reason.into();
        self.write();
    }

    fn write(&self) {
        let Some(file) = &self.file else { return };
        std::fs::write(file, self.content.to_string()).unwrap();
    }
}

fn millis(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}
