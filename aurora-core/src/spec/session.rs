//! What a session needs, and what it does about a statement that failed.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::routes::freshness;
use super::units::same;
use super::words::{kebab, role};
use crate::error::Outcome;
use crate::route::Need;
use crate::session::{Failure, Place, Recovery, Session, Step, Trouble};
use crate::sql::{self, Classification, Rules, SqlDialect, Target};
use crate::topology::Role;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    freshness: Option<String>,
    forced: Option<String>,
    #[serde(default)]
    before: Vec<Before>,
    #[serde(default)]
    lost_before: bool,
    statement: String,
    needs: Option<String>,
    gives_up: Option<bool>,
    #[serde(default)]
    failures: Vec<Failed>,
    after: Option<After>,
}

/// A statement that succeeded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Before {
    OnWriter(String),
    On(On),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct On {
    sql: String,
    on: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    trouble: String,
    on: String,
    instance: Option<String>,
    epoch: Option<u64>,
    time_left: Option<bool>,
    is_over: Option<bool>,
    then: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    transaction: Option<String>,
    pinned: Option<bool>,
    next_read: Option<String>,
}

type Checked = Result<(), String>;

const READ: &str = "SELECT 1 FROM t";

impl Decision {
    pub(super) fn check(&self) -> Checked {
        if self.needs.is_none() && self.gives_up.is_none() && self.failures.is_empty() {
            return Err("nothing is expected".to_owned());
        }
        let begin = Instant::now();
        let mut session = self.session(begin)?;
        let now = begin + Duration::from_secs(60);
        let class = classified(&self.statement);
        let need = session.need(&class, Some(&self.statement), || now);
        if let Some(expected) = &self.needs {
            same("needs", expected, &need_word(need))?;
        }
        if let Some(expected) = self.gives_up {
            same("gives_up", &expected, &session.gives_up_what_is_lost(&class))?;
        }
        let mut recovery = Recovery::default();
        let mut need = need;
        for (index, failed) in self.failures.iter().enumerate() {
            let step = failed.meet(&mut recovery, &mut session, &class, need, now)?;
            same(&format!("failures[{index}].then"), &failed.then, &step_word(step))?;
            need = match step {
                Step::Again(need) | Step::AskThenAgain(need) => need,
                Step::OnWriter => Need::Write,
                Step::AskThenFail | Step::Fail | Step::FailLost(_) => need,
            };
        }
        self.after.as_ref().map_or(Ok(()), |after| after.check(&session, now))
    }

    fn session(&self, begin: Instant) -> Result<Session, String> {
        let freshness = freshness(self.freshness.as_deref().unwrap_or("session"))?;
        let mut session = Session::new(freshness);
        session.force(match self.forced.as_deref() {
            None => None,
            Some("reader") => Some(Target::Reader),
            Some("writer") => Some(Target::Writer),
            Some(word) => return Err(format!("no target: {word}")),
        });
        for before in &self.before {
            let (sql, role) = match before {
                Before::OnWriter(sql) => (sql, Role::Writer),
                Before::On(On { sql, on }) => (sql, role(on)?),
            };
            session.succeeded(&classified(sql), role, begin);
        }
        if self.lost_before {
            session.disconnected();
        }
        Ok(session)
    }
}

impl Failed {
    fn meet(
        &self,
        recovery: &mut Recovery,
        session: &mut Session,
        classification: &Classification,
        need: Need,
        at: Instant,
    ) -> Result<Step, String> {
        let place = Place {
            instance: self.instance.as_deref().unwrap_or("i").into(),
            epoch: self.epoch.unwrap_or(1),
            role: role(&self.on)?,
        };
        let failure = Failure {
            at,
            classification,
            has_time: self.time_left.unwrap_or(true),
            need,
            place: &place,
            transaction_is_over: self.is_over.unwrap_or(false),
            trouble: trouble(&self.trouble)?,
        };
        Ok(recovery.next(session, &failure))
    }
}

impl After {
    fn check(&self, session: &Session, now: Instant) -> Checked {
        if let Some(expected) = &self.transaction {
            let got = match (session.in_transaction(), session.is_transaction_lost()) {
                (true, _) => "open",
                (false, true) => "lost",
                (false, false) => "none",
            };
            same("after.transaction", &expected.as_str(), &got)?;
        }
        if let Some(expected) = self.pinned {
            same("after.pinned", &expected, &session.is_pinned())?;
        }
        if let Some(expected) = &self.next_read {
            let need = session.need(&classified(READ), Some(READ), || now);
            same("after.next_read", expected, &need_word(need))?;
        }
        Ok(())
    }
}

fn classified(sql: &str) -> Classification {
    sql::classify(SqlDialect::Postgres, sql, &Rules::default())
}

fn trouble(word: &str) -> Result<Trouble, String> {
    let all =
        [Trouble::Conflict, Trouble::Lost, Trouble::NotSent, Trouble::ReadOnly, Trouble::Statement];
    let found = all.into_iter().find(|trouble| kebab(trouble) == word);
    found.ok_or_else(|| format!("no trouble: {word}"))
}

fn need_word(need: Need) -> String {
    let word = match need {
        Need::Write => "write",
        Need::Read { fresh_as_of: None } => "any-read",
        Need::Read { fresh_as_of: Some(_) } => "fresh-read",
    };
    word.to_owned()
}

fn step_word(step: Step) -> String {
    let word = match step {
        Step::Again(Need::Write) => "again-on-writer",
        Step::Again(_) => "again-on-reader",
        Step::AskThenAgain(_) => "ask-then-again",
        Step::AskThenFail => "ask-then-fail",
        Step::OnWriter => "on-writer",
        Step::Fail => "fail",
        Step::FailLost(Outcome::Applied) => "lost-applied",
        Step::FailLost(Outcome::NotApplied) => "lost-not-applied",
        Step::FailLost(Outcome::Unknown) => "lost-unknown",
    };
    word.to_owned()
}
