//! Answers of servers: what is made of them, and that an engine can live with it.

use std::sync::Arc;
use std::time::Instant;

use super::bytes::Bytes;
use super::rules::Rules;
use crate::config::{Config, DialectChoice};
use crate::dialect::{Answer, Row, classify_sqlstate, detect};
use crate::engine::{Engine, Input, Members, Output, Report};

/// The columns of all dialects.
const COLUMNS: [&str; 16] = [
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
    "name",
    "writable",
    "server_id",
    "is_writer",
    "aurora",
    "control",
];

/// Values that mean something in one column or another.
const VALUES: [&str; 24] = [
    "t",
    "f",
    "a",
    "b",
    "",
    " ",
    "0",
    "1",
    "-1",
    "7",
    "0000000A",
    "ffffffffffffffff",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "-1e308",
    "NaN",
    "inf",
    "10.0.0.2",
    "::1",
    "db3.example.com:6000",
    "[::1]:5432",
    "5432",
    "65536",
];

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let choices = [
        DialectChoice::Auto,
        DialectChoice::AuroraPostgres,
        DialectChoice::Postgres,
        DialectChoice::Single,
    ];
    let choice = bytes.pick(&choices);
    let first = detection(&mut bytes);
    let _ = classify_sqlstate(&bytes.short_text());
    let Ok(dialect) = detect(choice, &first) else { return };
    let answer = answer(&mut bytes);
    let report = dialect.report(&answer);
    assert_eq!(report, dialect.report(&answer), "{answer:?}");
    let Ok(report) = report else { return };
    check(&answer, &report);
    take_in(&report);
}

/// The first answer on a connection; mostly one that can be read.
fn detection(bytes: &mut Bytes<'_>) -> Answer {
    let mut answer = Answer::new(["aurora", "control", "lsn"].map(str::to_owned).into());
    let values: Vec<_> = (0..3).map(|_| bytes.pick(&["t", "f", "t", "f", "x"])).collect();
    if bytes.byte() != u8::MAX {
        values.into_iter().for_each(|value| answer.push(Some(value)));
    }
    answer
}

/// An answer with most columns, each value out of the list, NULL, or anything.
fn answer(bytes: &mut Bytes<'_>) -> Answer {
    let without = usize::from(bytes.byte());
    let kept = COLUMNS.iter().enumerate().filter(|(index, _)| *index != without);
    let columns: Arc<[String]> = kept.map(|(_, name)| (*name).to_owned()).collect();
    let width = columns.len();
    let mut answer = Answer::new(columns);
    while !bytes.is_empty() && answer.rows().len() < 8 {
        (0..width).for_each(|_| answer.push(value(bytes).as_deref()));
    }
    answer
}

fn value(bytes: &mut Bytes<'_>) -> Option<String> {
    match usize::from(bytes.byte() & 31) {
        24..=27 => None,
        28.. => Some(bytes.short_text()),
        index => Some(VALUES[index].to_owned()),
    }
}

fn check(answer: &Answer, report: &Report) {
    let Ok(first) = answer.first_row() else { panic!("a report out of nothing: {report:?}") };
    let is_true = |column: &str| first.text(column) == Ok(Some("t"));
    let says_so = is_true("writable") || is_true("accepts_writes");
    assert!(says_so || !report.accepts_writes, "nobody said so: {answer:?}");
    match &report.members {
        Members::Listed(listed) => {
            let is_named = |row: &Row<'_>| matches!(row.text("server_id"), Ok(Some(_)));
            let named = answer.rows().filter(is_named);
            assert_eq!(listed.len(), named.count(), "{answer:?}");
        }
        Members::Suggested(addresses) => assert!(addresses.len() <= answer.rows().len()),
        Members::Refused(reason) => assert!(!reason.is_empty()),
        Members::Unlisted => {}
    }
}

/// An engine hears it of whomever it asks, three times over.
fn take_in(report: &Report) {
    let url = "postgres://app@a:5432,b:5432/db?instance_host_pattern=%3F.x";
    let config = Config::from_url(url).unwrap_or_else(|error| panic!("{error}"));
    let now = Instant::now();
    let settings = crate::driver::settings(&config);
    let mut engine = Engine::new(settings, config.addresses(), 7, now);
    let (mut rules, mut out) = (Rules::new(&engine), Vec::new());
    engine.handle(now, Input::Tick, &mut out);
    rules.check(now, &engine, None, &out);
    for _ in 0..3 {
        let slots: Vec<_> = out
            .drain(..)
            .filter_map(|output| match output {
                Output::Probe { slot, .. } => Some(slot),
                Output::Announce(_) | Output::Publish(_) | Output::Retire { .. } => None,
            })
            .collect();
        for slot in slots {
            let report = report.clone();
            let heard = (slot, report.accepts_writes, report.incarnation);
            let mut fresh = Vec::new();
            engine.handle(now, Input::Answered { slot, asked_at: now, report }, &mut fresh);
            rules.check(now, &engine, Some(heard), &fresh);
            out.append(&mut fresh);
        }
    }
}
