use std::time::Duration;

use super::*;
use crate::error::Outcome;
use crate::sql::{self, Rules, SqlDialect};
use crate::topology::Role;

fn classified(sql: &str) -> Classification {
    sql::classify(SqlDialect::Postgres, sql, &Rules::default())
}

fn place(role: Role) -> Place {
    Place { instance: "i".into(), epoch: 1, role }
}

/// A session at the statement in the last place, and that statement.
fn after(statements: &[&str]) -> Session {
    let mut session = Session::new(Freshness::Session);
    for sql in statements {
        session.succeeded(&classified(sql), Role::Writer, Instant::now());
    }
    session
}

const READ: Need = Need::Read { fresh_as_of: None };

/// A failure there, with time left.
fn failure<'a>(
    trouble: Trouble,
    place: &'a Place,
    classification: &'a Classification,
    need: Need,
) -> Failure<'a> {
    let at = Instant::now();
    Failure { at, classification, has_time: true, need, place, transaction_is_over: false, trouble }
}

/// What is done when `sql` meets `trouble` on an instance of `role`, after `before`.
fn step(before: &[&str], sql: &str, trouble: Trouble, role: Role) -> Step {
    let mut session = after(before);
    let class = classified(sql);
    let need = if role == Role::Reader { READ } else { Need::Write };
    Recovery::default().next(&mut session, &failure(trouble, &place(role), &class, need))
}

#[test]
fn read_only_transactions_begin_on_a_reader_unless_serializable() {
    for (sql, on_reader) in [
        ("BEGIN", false),
        ("BEGIN READ ONLY", true),
        ("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", true),
        ("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", false),
        ("SELECT 1", false),
    ] {
        assert_eq!(begins_on_reader(&classified(sql), sql), on_reader, "{sql}");
    }
}

#[test]
fn what_may_commit_is_known() {
    for (sql, may) in [
        ("COMMIT", true),
        ("END", true),
        ("PREPARE TRANSACTION 'a'", true),
        ("ROLLBACK", false),
        ("RELEASE SAVEPOINT a", false),
        ("INSERT INTO t VALUES (1)", false),
        ("INSERT INTO t VALUES (1); COMMIT", true),
    ] {
        assert_eq!(commits(&classified(sql)), may, "{sql}");
    }
}

#[test]
fn a_session_is_tied_by_transactions_and_by_its_state() {
    for (statements, free) in [
        (&["SELECT 1", "INSERT INTO t VALUES (1)"][..], true),
        (&["BEGIN"], false),
        (&["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT"], true),
        (&["BEGIN", "SAVEPOINT a", "ROLLBACK TO a"], false),
        (&["SET work_mem = '1MB'"], false),
        (&["SET LOCAL work_mem = '1MB'"], true),
        (&["LISTEN a"], false),
        (&["BEGIN; INSERT INTO t VALUES (1); COMMIT"], true),
        (&["BEGIN; INSERT INTO t VALUES (1)"], false),
    ] {
        assert_eq!(after(statements).is_free(), free, "{statements:?}");
    }
}

#[test]
fn a_script_that_failed_leaves_nobody_knows_what() {
    let mut session = after(&[]);
    session.refused(&classified("BEGIN; INSERT INTO t VALUES (1)"), false, Instant::now());
    assert!(!session.is_free());
    let mut session = after(&["BEGIN"]);
    session.refused(&classified("COMMIT"), true, Instant::now());
    assert!(session.is_free(), "COMMIT ends the transaction even when it fails");
}

#[test]
fn reads_need_what_the_session_wrote_from_its_commit_on() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut session = Session::new(Freshness::Session);
    let need = |session: &Session| session.need(&classified("SELECT 1"), None, || later);
    assert_eq!(need(&session), READ);
    session.succeeded(&classified("BEGIN"), Role::Writer, now);
    session.succeeded(&classified("INSERT INTO t VALUES (1)"), Role::Writer, now);
    session.succeeded(&classified("COMMIT"), Role::Writer, later);
    assert_eq!(need(&session), Need::Read { fresh_as_of: Some(later) });
    session.force(Some(Target::Reader));
    assert_eq!(need(&session), READ);
    session.force(Some(Target::Writer));
    assert_eq!(need(&session), Need::Write);
    session.reset();
    assert_eq!(need(&session), READ);
}

#[test]
fn reads_are_run_again_and_writes_are_not() {
    let unknown = Step::FailLost(Outcome::Unknown);
    let not_applied = Step::FailLost(Outcome::NotApplied);
    use Role::{Reader, Writer};
    use Trouble::{Lost, NotSent};
    let insert = "INSERT INTO t VALUES (1)";
    for (before, sql, trouble, role, expected) in [
        (&[][..], "SELECT 1", Lost, Reader, Step::Again(READ)),
        (&[], "SELECT f()", Lost, Reader, unknown),
        (&[], "SELECT f()", Lost, Writer, unknown),
        (&[], insert, Lost, Writer, unknown),
        (&[], insert, NotSent, Writer, Step::Again(Need::Write)),
        (&[], "BEGIN", Lost, Writer, Step::Again(Need::Write)),
        (&["BEGIN"], "SELECT 1", Lost, Writer, not_applied),
        (&["BEGIN"], insert, Lost, Writer, not_applied),
        (&["BEGIN", insert], "COMMIT", Lost, Writer, unknown),
        (&["BEGIN", insert], "COMMIT", NotSent, Writer, not_applied),
        (&["BEGIN"], "ROLLBACK", Lost, Writer, not_applied),
        (&["SET work_mem = '1MB'"], "SELECT 1", Lost, Writer, not_applied),
        (&["SET work_mem = '1MB'"], insert, Lost, Writer, unknown),
    ] {
        assert_eq!(step(before, sql, trouble, role), expected, "{before:?} {sql} {trouble:?}");
    }
}

#[test]
fn a_second_begin_may_commit_what_the_first_transaction_wrote() {
    let step = step(&["BEGIN", "INSERT INTO t VALUES (1)"], "BEGIN", Trouble::Lost, Role::Writer);
    assert_eq!(step, Step::FailLost(Outcome::Unknown), "MySQL commits");
    let session = after(&["BEGIN", "INSERT INTO t VALUES (1)", "BEGIN", "COMMIT"]);
    let need = session.need(&classified("SELECT 1"), None, Instant::now);
    assert!(matches!(need, Need::Read { fresh_as_of: Some(_) }), "{need:?}");
}

#[test]
fn what_an_instance_refused_is_run_where_it_is_not() {
    use Role::{Reader, Writer};
    let insert = "INSERT INTO t VALUES (1)";
    for (before, sql, role, expected) in [
        (&[][..], "SELECT f()", Reader, Step::OnWriter),
        (&[], insert, Writer, Step::AskThenAgain(Need::Write)),
        (&["BEGIN"], insert, Writer, Step::AskThenFail),
        (&["BEGIN READ ONLY"], insert, Writer, Step::Fail),
        (&["BEGIN READ ONLY"], insert, Reader, Step::Fail),
    ] {
        assert_eq!(step(before, sql, Trouble::ReadOnly, role), expected, "{before:?} {sql}");
    }
}

#[test]
fn a_writer_that_refuses_twice_is_read_only_by_choice() {
    let (mut session, mut recovery) = (after(&[]), Recovery::default());
    let class = classified("INSERT INTO t VALUES (1)");
    let mut refuse = |epoch| {
        let place = Place { epoch, ..place(Role::Writer) };
        recovery.next(&mut session, &failure(Trouble::ReadOnly, &place, &class, Need::Write))
    };
    assert_eq!(refuse(1), Step::AskThenAgain(Need::Write));
    assert_eq!(refuse(2), Step::AskThenAgain(Need::Write), "it was another one by then");
    assert_eq!(refuse(2), Step::Fail);
}

#[test]
fn a_statement_that_crashes_its_server_is_not_carried_around() {
    let (mut session, mut recovery) = (after(&[]), Recovery::default());
    let class = classified("SELECT 1");
    let mut lose = |has_time| {
        let place = place(Role::Reader);
        let failure = Failure { has_time, ..failure(Trouble::Lost, &place, &class, READ) };
        (recovery.next(&mut session, &failure), recovery.takes_idle())
    };
    assert_eq!(lose(true), (Step::Again(READ), true));
    assert_eq!(lose(true), (Step::Again(READ), false), "the last attempt is to be a fair one");
    assert_eq!(lose(true).0, Step::FailLost(Outcome::NotApplied));
    let place = place(Role::Reader);
    let late = Failure { has_time: false, ..failure(Trouble::Lost, &place, &class, READ) };
    let late = Recovery::default().next(&mut after(&[]), &late);
    assert_eq!(late, Step::FailLost(Outcome::NotApplied));
}

#[test]
fn a_read_that_replay_cancels_again_and_again_goes_to_the_writer() {
    let (mut session, mut recovery) = (after(&[]), Recovery::default());
    let class = classified("SELECT 1");
    let mut cancel = || {
        let place = place(Role::Reader);
        recovery.next(&mut session, &failure(Trouble::Conflict, &place, &class, READ))
    };
    assert_eq!(cancel(), Step::Again(READ));
    assert_eq!(cancel(), Step::Again(READ));
    assert_eq!(cancel(), Step::Again(Need::Write));
    assert_eq!(step(&["BEGIN READ ONLY"], "SELECT 1", Trouble::Conflict, Role::Reader), Step::Fail);
}

#[test]
fn what_may_have_been_written_counts_as_written() {
    let mut session = after(&[]);
    let now = Instant::now();
    let class = classified("INSERT INTO t VALUES (1)");
    let place = place(Role::Writer);
    let lost = Failure { at: now, ..failure(Trouble::Lost, &place, &class, Need::Write) };
    let step = Recovery::default().next(&mut session, &lost);
    assert_eq!(step, Step::FailLost(Outcome::Unknown));
    let need = session.need(&classified("SELECT 1"), None, || now);
    assert_eq!(need, Need::Read { fresh_as_of: Some(now) });
}

#[test]
fn a_lost_transaction_is_over_when_its_owner_gives_it_up() {
    let mut session = after(&["BEGIN", "SAVEPOINT a"]);
    assert!(!session.gives_up_what_is_lost(&classified("ROLLBACK")));
    assert!(session.disconnected());
    for (sql, local, lost_after) in [
        ("SELECT 1", false, true),
        ("COMMIT", false, true),
        ("ROLLBACK TO SAVEPOINT a", true, true),
        ("RELEASE SAVEPOINT a", true, true),
        ("ROLLBACK", true, false),
        ("ROLLBACK", false, false),
    ] {
        assert_eq!(session.gives_up_what_is_lost(&classified(sql)), local, "{sql}");
        assert_eq!(session.is_transaction_lost(), lost_after, "{sql}");
    }
}

#[test]
fn a_transaction_that_the_server_rolled_back_is_lost_without_its_connection() {
    let mut session = after(&["SET x = 1", "BEGIN"]);
    session.rolled_back();
    assert!(session.is_transaction_lost() && !session.in_transaction());
    assert!(session.is_pinned(), "settings are as they were");
    assert!(session.gives_up_what_is_lost(&classified("ROLLBACK")));
    session.rolled_back();
    assert!(!session.is_transaction_lost(), "there was none");
}

#[test]
fn a_function_nobody_knows_may_have_written_where_it_could() {
    let now = Instant::now();
    for (role, last_write) in [(Role::Reader, None), (Role::Writer, Some(now))] {
        let mut session = after(&[]);
        session.succeeded(&classified("SELECT f()"), role, now);
        let need = session.need(&classified("SELECT 1"), None, || now);
        assert_eq!(need, Need::Read { fresh_as_of: last_write });
    }
}

#[test]
fn a_commit_after_a_failure_may_commit_nothing() {
    let fail = |session: &mut Session| {
        let (class, place) = (classified("SELECT 1 / 0"), place(Role::Writer));
        Recovery::default()
            .next(session, &failure(Trouble::Statement, &place, &class, Need::Write));
    };
    let mut session = after(&["BEGIN"]);
    assert!(!session.may_commit_nothing(&classified("COMMIT")));
    fail(&mut session);
    for commits in ["COMMIT", "END", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'a'"] {
        assert!(session.may_commit_nothing(&classified(commits)), "{commits}");
    }
    assert!(!session.may_commit_nothing(&classified("ROLLBACK")));
    let mut session = after(&[]);
    fail(&mut session);
    assert!(!session.may_commit_nothing(&classified("COMMIT")), "nothing is open");
}

#[test]
fn a_session_knows_what_its_transaction_met_until_work_goes_on() {
    let lose = |session: &mut Session, sql: &str, trouble| {
        let (class, place) = (classified(sql), place(Role::Writer));
        Recovery::default().next(session, &failure(trouble, &place, &class, Need::Write));
    };
    let mut session = after(&["BEGIN", "SAVEPOINT a"]);
    lose(&mut session, "SELECT 1", Trouble::Conflict);
    session.succeeded(&classified("ROLLBACK TO SAVEPOINT a"), Role::Writer, Instant::now());
    assert!(session.is_troubled(), "the error may still be on its way up");
    session.succeeded(&classified("SELECT 1"), Role::Writer, Instant::now());
    assert!(!session.is_troubled(), "it was got over");
    lose(&mut session, "COMMIT", Trouble::Lost);
    assert_eq!(session.take_trouble(), Some((Trouble::Lost, place(Role::Writer))));
    assert_eq!(session.take_trouble(), None);
}

#[test]
fn a_read_after_a_transaction_is_run_again() {
    for before in [
        &["BEGIN", "COMMIT"][..],
        &["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT"],
        &["BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK"],
        &[],
    ] {
        let mut session = after(before);
        session.succeeded(&classified("INSERT INTO t VALUES (1)"), Role::Writer, Instant::now());
        let (class, place) = (classified("SELECT * FROM t"), place(Role::Reader));
        let need = Need::Read { fresh_as_of: None };
        let step = Recovery::default()
            .next(&mut session, &failure(Trouble::NotSent, &place, &class, need));
        assert_eq!(step, Step::Again(need));
        assert!(!session.is_transaction_lost(), "{before:?} {session:?}");
    }
}

#[test]
fn a_statement_says_itself_how_fresh_it_must_be() {
    let now = Instant::now();
    let mut session = Session::new(Freshness::Session);
    session.wrote(now);
    let own = Need::Read { fresh_as_of: Some(now) };
    for (sql, forced, expected) in [
        ("SELECT 1", None, own),
        ("/*@fresh eventual*/ SELECT 1", None, READ),
        ("SELECT 1 /* @FRESH Strong */", None, Need::Write),
        ("/*@fresh strong*/ SELECT 1", Some(Target::Reader), Need::Write),
        ("/*@fresh session*/ SELECT 1", Some(Target::Reader), own),
        ("/*@fresh eventual*/ SELECT 1", Some(Target::Writer), Need::Write),
        ("SELECT 1", Some(Target::Reader), READ),
        (
            "/*@fresh bounded:1s*/ SELECT 1",
            None,
            Need::Read { fresh_as_of: now.checked_sub(Duration::from_secs(1)) },
        ),
        // What cannot be read asks for the most, and so do two that differ.
        ("/*@fresh*/ SELECT 1", None, Need::Write),
        ("/*@fresh soon*/ SELECT 1", None, Need::Write),
        ("/*@fresh bounded:0s*/ SELECT 1", None, Need::Write),
        ("/*@fresh eventual*/ SELECT 1 /*@fresh session*/", None, Need::Write),
        ("/*@fresh session*/ SELECT 1 /*@fresh session*/", None, own),
        // These are none.
        ("SELECT '/*@fresh strong*/'", None, own),
        ("/*@freshly strong*/ SELECT 1", None, own),
        ("-- /*@fresh strong*/", None, own),
    ] {
        session.force(forced);
        assert_eq!(session.need(&classified(sql), Some(sql), || now), expected, "{sql} {forced:?}");
    }
}

#[test]
fn what_a_session_continues_counts_at_every_level() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut session = Session::new(Freshness::Eventual);
    let need = |session: &Session| session.need(&classified("SELECT 1"), None, || at(100));
    assert_eq!(session.stands_for(start), None);
    session.require(at(50));
    session.require(at(40));
    for (freshness, moment) in [
        (Freshness::Eventual, 50),
        (Freshness::Session, 50),
        (Freshness::Bounded(Duration::from_millis(80)), 50),
        (Freshness::Bounded(Duration::from_millis(20)), 80),
    ] {
        session.set_freshness(freshness);
        assert_eq!(need(&session), Need::Read { fresh_as_of: Some(at(moment)) }, "{freshness:?}");
    }
    assert_eq!(session.stands_for(start), Some(at(50)));
    session.wrote(at(70));
    assert_eq!(session.stands_for(start), Some(at(70)));
    session.pin();
    assert_eq!(session.stands_for(at(90)), Some(at(90)), "what it does there is not seen");
    session.reset();
    assert_eq!((session.stands_for(start), need(&session)), (None, READ));
}

#[test]
fn a_session_stays_with_its_reader_and_other_levels_do_not() {
    let mut session = Session::new(Freshness::Session);
    session.settle(&"w".into(), Role::Writer);
    assert_eq!(session.reader(), None);
    session.settle(&"b".into(), Role::Reader);
    session.settle(&"w".into(), Role::Writer);
    assert_eq!(session.reader(), Some(&"b".into()));
    session.set_freshness(Freshness::Eventual);
    assert_eq!(session.reader(), None);
    session.set_freshness(Freshness::Session);
    session.settle(&"c".into(), Role::Reader);
    assert_eq!(session.reader(), Some(&"c".into()));
    session.reset();
    assert_eq!(session.reader(), None);
}
