//! Errors are what the server meant, though Diesel passes no numbers on.

use aurora_core::{Outcome, Role};
use aurora_diesel::Retry;
use aurora_tests::items;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{BigInt, Text};

use super::stand::{Session, Stand};

fn add(session: &mut Session, name: &str) -> QueryResult<()> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session).map(drop)
}

fn kind(error: &Error) -> String {
    match error {
        Error::DatabaseError(kind, _) => format!("{kind:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_error_of_a_statement_is_the_orms_and_costs_no_connection() {
    let stand = Stand::new(1);
    stand.write("CREATE UNIQUE INDEX one_name ON items (name)");
    let session: &mut Session = &mut stand.session();
    let error = add(session, "a").unwrap_err();
    assert_eq!(
        (kind(&error).as_str(), aurora_diesel::outcome(&error)),
        ("UniqueViolation", Outcome::NotApplied)
    );
    let twice = "INSERT INTO items (name) VALUES ('a')";
    for (text, expected) in
        [("SELECT no_such_column", "Unknown"), (twice, "UniqueViolation"), ("SELEC", "Unknown")]
    {
        let error = session.batch_execute(text).unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
        let error = diesel::sql_query(text).execute(session).unwrap_err();
        assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    }
    let words: String = sql::<Text>("SELECT 'well'").get_result(session).unwrap();
    assert_eq!(words, "well");
    assert_eq!(stand.instance(0).stats().connects(), 1);
    stand.assert_clean();
}

/// With words of another language, and where the server keeps no diagnostics.
#[test]
fn a_refused_write_is_known_in_any_language() {
    let stand = Stand::new(2);
    for set in ["SET lc_messages = 'de_DE'", "SET max_error_count = 0"] {
        let session: &mut Session = &mut stand.session();
        session.batch_execute(set).unwrap();
        session.batch_execute("BEGIN").unwrap();
        stand.kit.set_setting(0, "read_only", "ON").unwrap();
        let error = add(session, "refused").unwrap_err();
        assert_eq!(kind(&error), "ReadOnlyTransaction", "{set}: {error}");
        assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
        stand.kit.set_setting(0, "read_only", "OFF").unwrap();
        session.batch_execute("ROLLBACK").unwrap();
        stand.await_writer(0);
    }
    assert_eq!(stand.stored("refused"), 0);
}

#[test]
fn a_write_that_a_demoted_writer_refuses_is_run_on_the_new_one() {
    let stand = Stand::new(3);
    let session: &mut Session = &mut stand.session();
    add(session, "one").unwrap();
    stand.kit.switchover(1).unwrap();
    // On the connection that was the writer's: it says no, and the new writer says yes.
    add(session, "two").unwrap();
    assert_eq!((stand.stored("one"), stand.stored("two")), (1, 1));
    stand.await_writer(1);
    stand.await_readers(2);
    assert_eq!(stand.instance(0).role(), Role::Reader);
    stand.assert_usable();
    stand.assert_clean();
}

#[test]
fn a_lost_connection_is_told_honestly() {
    let stand = Stand::new(1);
    let connection = |session: &mut Session| {
        sql::<BigInt>("SELECT CONNECTION_ID()").get_result::<i64>(session).unwrap()
    };
    // A write in flight: nobody knows.
    let session: &mut Session = &mut stand.session();
    let id = connection(session);
    let error = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            diesel::sql_query("INSERT INTO items (name) SELECT SLEEP(60)").execute(session)
        });
        let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                       WHERE USER = 'app' AND INFO LIKE 'INSERT INTO items%'";
        aurora_tests::eventually("it runs", || stand.ask(running) == 1);
        stand.terminate(0, id);
        writing.join().unwrap().unwrap_err()
    });
    assert_eq!(
        (kind(&error).as_str(), aurora_diesel::outcome(&error)),
        ("ClosedConnection", Outcome::Unknown)
    );
    assert_eq!(aurora_diesel::retry(&error), Retry::IfIdempotent);
    assert_eq!(aurora_diesel::instance(&error), Some(stand.kit.name(0).as_str()));
    // A read between two statements: it is run again.
    let id = connection(session);
    stand.terminate(0, id);
    assert_eq!(items::table.count().get_result::<i64>(session), Ok(3));
    // A COMMIT: unknown, or not applied; a transaction before its COMMIT: not applied.
    for at_commit in [true, false] {
        let error = session
            .transaction(|session| {
                add(session, "half")?;
                let id = connection(session);
                stand.terminate(0, id);
                if at_commit { Ok(()) } else { add(session, "half") }
            })
            .unwrap_err();
        assert_eq!(kind(&error), "ClosedConnection", "{error}");
        let outcome = aurora_diesel::outcome(&error);
        assert!(
            outcome == Outcome::NotApplied || at_commit && outcome == Outcome::Unknown,
            "{error}"
        );
    }
    assert_eq!(stand.stored("half"), 0);
    add(session, "whole").unwrap();
    stand.assert_clean();
}

#[test]
fn a_statement_too_long_for_the_server_was_not_executed() {
    let stand = Stand::new(1);
    let session: &mut Session = &mut stand.session();
    let long = format!("INSERT INTO items (name) VALUES (LEFT('{}', 1))", "x".repeat(17 << 20));
    let error = diesel::sql_query(long).execute(session).unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    add(session, "short").unwrap();
    assert_eq!((stand.stored("x"), stand.stored("short")), (0, 1));
}
