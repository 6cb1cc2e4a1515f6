//! What the answers and the error codes of servers mean.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::format::Change;
use super::units::{Span, given, same};
use super::words::kebab;
use crate::config::DialectChoice;
use crate::dialect::{Answer, Dialect, Garbage, classify_sqlstate, detect};
use crate::engine::tests::server::Server;
use crate::engine::{Members, Report};

type Row = BTreeMap<String, Option<String>>;
type Checked = Result<(), String>;

/// The answer to a probe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    dialect: String,
    columns: Option<Vec<String>>,
    rows: Vec<Row>,
    report: Option<Expected>,
    garbage: Option<String>,
}

/// What is read from it.
#[expect(clippy::option_option, reason = "null is a value of its own")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    accepts_writes: Option<bool>,
    stands_still: Option<bool>,
    #[serde(deserialize_with = "given")]
    cluster: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    timeline: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    position: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    lag: Option<Option<Span>>,
    members: Option<Change>,
    refuses: Option<String>,
}

/// Which kind of server it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detection {
    detect: Row,
    choice: Option<String>,
    dialect: Option<String>,
    garbage: Option<String>,
}

/// What error codes mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Codes {
    sqlstates: Vec<String>,
    failure: String,
    error: String,
}

const POSTGRES: [&str; 10] = [
    "cluster",
    "server",
    "accepts_writes",
    "stands_still",
    "timeline",
    "position",
    "lag_millis",
    "application_name",
    "client_addr",
    "port",
];

const AURORA: [&str; 7] =
    ["name", "server", "writable", "server_id", "is_writer", "lag_millis", "position"];

impl Reading {
    pub(super) fn check(&self) -> Checked {
        let columns = match (&self.columns, self.dialect.as_str()) {
            (Some(columns), _) => columns.clone(),
            (None, "aurora-postgres") => AURORA.map(str::to_owned).to_vec(),
            (None, _) => POSTGRES.map(str::to_owned).to_vec(),
        };
        let answer = answer(&columns, &self.rows)?;
        match (dialect(&self.dialect)?.report(&answer), &self.report, &self.garbage) {
            (Ok(report), Some(expected), None) => expected.compare(&report),
            (Err(Garbage(got)), None, Some(part)) if got.contains(part.as_str()) => Ok(()),
            (got, _, garbage) => Err(format!("garbage: expected {garbage:?}, got {got:?}")),
        }
    }
}

impl Expected {
    fn compare(&self, report: &Report) -> Checked {
        if let Some(expected) = self.accepts_writes {
            same("accepts_writes", &expected, &report.accepts_writes)?;
        }
        if let Some(expected) = self.stands_still {
            same("stands_still", &expected, &report.stands_still)?;
        }
        if let Some(expected) = &self.cluster {
            same("cluster", &expected.as_deref(), &report.cluster.as_deref())?;
        }
        if let Some(expected) = &self.name {
            same("name", &expected.as_deref(), &report.name.as_deref())?;
        }
        if let Some(expected) = self.timeline {
            same("timeline", &expected, &report.incarnation)?;
        }
        if let Some(expected) = self.position {
            same("position", &expected, &report.position)?;
        }
        if let Some(expected) = self.lag {
            same("lag", &expected, &report.lag.map(Span))?;
        }
        if let Some(members) = &self.members {
            let mut server = Server::postgres(1);
            members.apply(&mut server)?;
            same("members", &server.members, &report.members)?;
        }
        match (&self.refuses, &report.members) {
            (None, _) => Ok(()),
            (Some(part), Members::Refused(why)) if why.contains(part.as_str()) => Ok(()),
            (Some(part), got) => Err(format!("refuses: expected {part:?}, got {got:?}")),
        }
    }
}

impl Detection {
    pub(super) fn check(&self) -> Checked {
        let columns: Vec<_> = self.detect.keys().cloned().collect();
        let answer = answer(&columns, std::slice::from_ref(&self.detect))?;
        let got = detect(choice(self.choice.as_deref().unwrap_or("auto"))?, &answer);
        match (got, &self.dialect, &self.garbage) {
            (Ok(dialect), Some(expected), None) => {
                same("dialect", &expected.as_str(), &dialect.name())
            }
            (Err(Garbage(got)), None, Some(part)) if got.contains(part.as_str()) => Ok(()),
            (got, _, _) => Err(format!("dialect: got {got:?}")),
        }
    }
}

impl Codes {
    pub(super) fn check(&self) -> Checked {
        if self.sqlstates.is_empty() {
            return Err("no code".to_owned());
        }
        self.sqlstates.iter().try_for_each(|code| {
            let (failure, error) = classify_sqlstate(code);
            same(&format!("failure of {code}"), &self.failure, &kebab(failure))?;
            same(&format!("error of {code}"), &self.error, &kebab(error))
        })
    }
}

/// Rows as a server would answer them: what a row does not name is NULL.
fn answer(columns: &[String], rows: &[Row]) -> Result<Answer, String> {
    for name in rows.iter().flat_map(BTreeMap::keys) {
        if !columns.contains(name) {
            return Err(format!("no column {name}"));
        }
    }
    let mut answer = Answer::new(columns.into());
    for row in rows {
        columns.iter().for_each(|name| answer.push(row.get(name).and_then(Option::as_deref)));
    }
    Ok(answer)
}

fn dialect(name: &str) -> Result<Box<dyn Dialect>, String> {
    let mut answer = Answer::new(["aurora", "control", "lsn"].map(str::to_owned).into());
    (0..3).for_each(|_| answer.push(Some("t")));
    detect(choice(name)?, &answer).map_err(|garbage| garbage.to_string())
}

fn choice(word: &str) -> Result<DialectChoice, String> {
    let all = [
        DialectChoice::Auto,
        DialectChoice::AuroraPostgres,
        DialectChoice::Postgres,
        DialectChoice::Single,
    ];
    let found = all.into_iter().find(|choice| kebab(choice) == word);
    found.ok_or_else(|| format!("no dialect: {word}"))
}
