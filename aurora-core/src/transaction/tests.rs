use std::time::{Duration, Instant};

use super::*;
use crate::config::{Config, Family};
use crate::error::{Error, ErrorKind, Outcome, Retry};
use crate::session::{Place, Trouble};
use crate::topology::Role;

fn attempts(options: &RunOptions, now: Instant) -> Attempts {
    let config = Config::from_url("postgres://app@db1/shop?failover_timeout=10s").unwrap();
    let mut attempts = Attempts::new(options, &config, now, 7);
    attempts.begin();
    attempts
}

fn place(epoch: u64) -> Place {
    Place { instance: "i".into(), epoch, role: Role::Writer }
}

fn failed(phase: Phase, trouble: Trouble) -> Failed {
    Failed { phase, trouble, place: Some(place(1)) }
}

#[test]
fn only_what_certainly_was_not_applied_is_run_again() {
    let now = Instant::now();
    let doubt = Next::Resolve(now + Duration::from_secs(10));
    use Phase::{Commit, Work};
    for (phase, trouble, expected) in [
        (Work, Trouble::Conflict, None),
        (Work, Trouble::Lost, None),
        (Work, Trouble::NotSent, None),
        (Work, Trouble::ReadOnly, None),
        (Work, Trouble::Statement, Some(Next::GiveBack)),
        (Commit, Trouble::Conflict, None),
        (Commit, Trouble::Lost, Some(doubt)),
        (Commit, Trouble::NotSent, None),
        (Commit, Trouble::ReadOnly, None),
        (Commit, Trouble::Statement, Some(Next::GiveBack)),
    ] {
        let next = attempts(&RunOptions::new(), now).next(&failed(phase, trouble), now);
        match expected {
            Some(expected) => assert_eq!(next, expected, "{phase:?} {trouble:?}"),
            None => assert!(matches!(next, Next::Again(_)), "{phase:?} {trouble:?} {next:?}"),
        }
    }
}

#[test]
fn a_read_only_transaction_leaves_nothing_in_doubt_and_refuses_by_choice() {
    let (now, options) = (Instant::now(), RunOptions::new().read_only());
    let lost = attempts(&options, now).next(&failed(Phase::Commit, Trouble::Lost), now);
    assert!(matches!(lost, Next::Again(_)), "{lost:?}");
    let refused = attempts(&options, now).next(&failed(Phase::Work, Trouble::ReadOnly), now);
    assert_eq!(refused, Next::GiveBack);
    let marked = options.resolve(Resolve::Marker(MarkerTable::default()));
    assert_eq!(marked.resolving(), &Resolve::No, "a reader could not write a marker");
}

#[test]
fn a_writer_that_refuses_twice_in_an_epoch_is_read_only_by_choice() {
    let now = Instant::now();
    let mut attempts = attempts(&RunOptions::new(), now);
    let mut refuse = |epoch| {
        let refused =
            Failed { place: Some(place(epoch)), ..failed(Phase::Work, Trouble::ReadOnly) };
        attempts.next(&refused, now)
    };
    assert!(matches!(refuse(1), Next::Again(_)));
    assert!(matches!(refuse(2), Next::Again(_)), "it was another one by then");
    assert_eq!(refuse(2), Next::GiveBack);
}

#[test]
fn pauses_grow_to_a_bound_and_never_pass_the_deadline() {
    let now = Instant::now();
    let none = RunOptions::new().deadline(Duration::ZERO);
    assert_eq!(attempts(&none, now).again(now), Next::OutOfTime);
    let mut attempts = attempts(&RunOptions::new(), now);
    let mut longest = Duration::ZERO;
    for _ in 0..2000 {
        attempts.begin();
        let Next::Again(pause) = attempts.again(now) else { panic!("there is time") };
        longest = longest.max(pause);
    }
    assert!(
        longest <= Duration::from_secs(1) && longest > Duration::from_millis(900),
        "{longest:?}"
    );
    let end = now + Duration::from_secs(10);
    assert_eq!(attempts.again(end), Next::OutOfTime);
    assert_eq!(attempts.again(end + Duration::from_secs(1)), Next::OutOfTime);
}

#[test]
fn a_doubt_that_arises_late_still_has_time_to_be_resolved() {
    let start = Instant::now();
    let late = start + Duration::from_secs(60);
    let next =
        attempts(&RunOptions::new(), start).next(&failed(Phase::Commit, Trouble::Lost), late);
    assert_eq!(next, Next::Resolve(late + Duration::from_secs(10)));
}

#[test]
fn errors_tell_the_attempts_the_place_and_the_outcome() {
    let mut attempts = attempts(&RunOptions::new(), Instant::now());
    let error = attempts.error(&failed(Phase::Work, Trouble::Lost));
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(error.retry(), Retry::AfterTopologyChange);
    let text = "the transaction was not applied in 1 attempt; at last its connection was lost (instance i)";
    assert_eq!(error.to_string(), text);
    attempts.begin();
    let error = attempts.in_doubt(&place(1), Error::new(ErrorKind::NoWriter, "nobody"));
    assert_eq!((error.outcome(), error.retry()), (Outcome::Unknown, Retry::IfIdempotent));
    assert!(error.to_string().contains("2 attempts"), "{error}");
}

#[test]
fn names_are_quoted_and_keys_are_version_4() {
    let table = MarkerTable::new("a\"b", "C d");
    assert_eq!(table.to_string(), "\"a\"\"b\".\"C d\"");
    assert_eq!(MarkerId::of([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_ne!(MarkerId::random().unwrap(), MarkerId::random().unwrap());
}

#[test]
fn each_family_begins_a_transaction_in_its_own_words() {
    let options = RunOptions::new().repeatable_read().read_only().deferrable();
    let words = |family| options.begin_statements(family).join("; ");
    let one = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE";
    assert_eq!(words(Family::Postgres), one);
    let two = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY";
    assert_eq!(words(Family::MySql), two);
    assert_eq!(RunOptions::new().begin_statements(Family::MySql), ["START TRANSACTION"]);
}

#[test]
fn the_absence_of_an_old_marker_proves_nothing() {
    let sent_at = Instant::now();
    let doubt = Doubt { evidence: Evidence::None, place: place(1), sent_at };
    assert!(doubt.is_recent(sent_at + Duration::from_secs(60)));
    assert!(!doubt.is_recent(sent_at + KEEP / 2));
}

#[test]
fn the_documentation_shows_the_statement_as_it_is() {
    let page = include_str!("../../../docs/transactions.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words(page).replace("( ", "(").replace(" )", ")");
    assert!(shown.contains(&words(CREATE_TABLE)), "{shown}");
    #[cfg(feature = "mysql")]
    assert!(shown.contains(&words(CREATE_TABLE_MYSQL)), "{shown}");
}
