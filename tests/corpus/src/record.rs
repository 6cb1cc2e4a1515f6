//! One statement: what a server made of it, and what the classifier says.

use aurora_core::sql::{Classification, Target, Verdict};
use serde_json::{Value, json};

use crate::Truth;

/// What is known about one statement of a script.
#[derive(Clone, Debug)]
pub struct Record {
    /// The script it comes from.
    pub script: String,
    /// Its text.
    pub sql: String,
    /// What was seen.
    pub truth: Truth,
    /// The server's words about it.
    pub why: String,
    /// What the classifier calls it.
    pub verdict: Verdict,
    /// Why it does.
    pub reason: &'static str,
    /// Where the statement would be sent.
    pub route: Target,
}

impl Record {
    /// Puts together what was seen and what the classifier says.
    #[must_use]
    pub fn new(script: &str, sql: &str, truth: Truth, why: &str, found: &Classification) -> Self {
        Self {
            script: script.to_owned(),
            sql: sql.to_owned(),
            truth,
            why: why.to_owned(),
            verdict: found.verdict(),
            reason: found.reason(),
            route: found.route(),
        }
    }

    /// Whether it is, or would go, where a read goes, and must not.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.truth.forbids_read() && (self.is_read() || self.route == Target::Reader)
    }

    /// Whether it could be a read and is none.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.truth == Truth::Answered && !self.is_read()
    }

    pub(crate) fn is_read(&self) -> bool {
        self.verdict == Verdict::Read
    }

    /// What was seen in an earlier run, judged again; nothing if it is no such object.
    #[must_use]
    pub fn from_json(value: &Value, judge: impl Fn(&str) -> Classification) -> Option<Self> {
        let text = |name: &str| value[name].as_str();
        let (script, sql, why) = (text("script")?, text("sql")?, text("why")?);
        let named = text("truth")?;
        let truth = Truth::ALL.into_iter().find(|truth| truth.to_string() == named)?;
        Some(Self::new(script, sql, truth, why, &judge(sql)))
    }

    /// As one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "script": self.script,
            "sql": self.sql,
            "truth": self.truth.to_string(),
            "why": self.why,
            "verdict": crate::name(self.verdict),
            "reason": self.reason,
        })
    }
}
