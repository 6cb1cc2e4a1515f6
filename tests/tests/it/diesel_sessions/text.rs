//! Transactions and several statements sent as text.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::wait_until;

use super::{backend, count, insert, stand};

#[test]
fn a_transaction_sent_as_text_stays_on_its_connection_until_it_ends() {
    let stand = stand(3);
    let session = &mut stand.session();
    session.batch_execute("BEGIN").unwrap();
    let first = backend(session);
    insert(session, "text").unwrap();
    for _ in 0..10 {
        assert_eq!(count(session, "text"), 1);
        assert_eq!(backend(session), first);
    }
    assert_eq!(count(&mut stand.session(), "text"), 0, "not committed yet");
    session.batch_execute("COMMIT").unwrap();
    assert_eq!(count(session, "text"), 1);
    let reads = stand.counting::<3>(|| {
        session.on_reader(|session| session.batch_execute("SELECT 1")).unwrap();
    });
    assert_eq!(reads[0], 0, "the connection was let go");
    session.batch_execute("START TRANSACTION").unwrap();
    insert(session, "rolled back").unwrap();
    session.batch_execute("ROLLBACK").unwrap();
    assert_eq!(count(session, "rolled back"), 0);
}

#[test]
fn a_read_only_transaction_sent_as_text_runs_on_a_reader() {
    let stand = stand(2);
    let session = &mut stand.session();
    let places = stand.counting(|| {
        session.batch_execute("BEGIN TRANSACTION READ ONLY").unwrap();
        assert_eq!(count(session, "a"), 1);
        assert!(insert(session, "refused").is_err());
        session.batch_execute("ROLLBACK").unwrap();
    });
    assert_eq!(places, [0, 4]);
    insert(session, "usable").unwrap();
}

#[test]
fn a_transaction_left_open_at_check_in_is_gone_with_its_locks() {
    let stand = stand(2);
    for leak in ["BEGIN; UPDATE items SET name = 'leaked'", "BEGIN"] {
        let session = &mut stand.session();
        session.batch_execute(leak).unwrap();
        session.batch_execute("UPDATE items SET name = 'leaked'").unwrap();
    }
    let mut session = stand.session();
    let freed = wait_until(std::time::Duration::from_secs(5), || {
        let update = "BEGIN; SET LOCAL lock_timeout = '1s'; UPDATE items SET name = 'mine'; COMMIT";
        let done = session.batch_execute(update).is_ok();
        session.reset();
        done
    });
    assert!(freed, "a lock is left");
    assert_eq!((count(&mut session, "leaked"), count(&mut session, "mine")), (0, 3));
}

#[test]
fn a_failed_statement_in_a_transaction_sent_as_text_does_not_move_the_session() {
    let stand = stand(2);
    let session = &mut stand.session();
    session.batch_execute("BEGIN").unwrap();
    insert(session, "lost").unwrap();
    assert!(session.batch_execute("SELECT 1 / 0").is_err());
    let places = stand.counting(|| {
        let aborted = session.batch_execute("SELECT 1").unwrap_err().to_string();
        assert!(aborted.contains("current transaction is aborted"), "{aborted}");
    });
    assert_eq!(places, [1, 0]);
    session.batch_execute("ROLLBACK").unwrap();
    assert_eq!(session.on_writer(|session| QueryResult::Ok(count(session, "lost"))), Ok(0));
}

#[test]
fn several_statements_in_one_text_run_together_on_the_writer() {
    let stand = stand(2);
    let session = &mut stand.session();
    let places = stand.counting(|| {
        let text =
            "INSERT INTO items (name) VALUES ('one'); INSERT INTO items (name) VALUES ('one')";
        session.batch_execute(text).unwrap();
        session.batch_execute("SELECT 1; SELECT 2").unwrap();
    });
    assert_eq!(places, [2, 0]);
    assert_eq!(count(session, "one"), 2);
    // Texts that begin and end a transaction, or only one of the two.
    session.batch_execute("BEGIN; INSERT INTO items (name) VALUES ('two'); COMMIT").unwrap();
    assert_eq!(count(session, "two"), 1);
    session.batch_execute("BEGIN; INSERT INTO items (name) VALUES ('three')").unwrap();
    let first = backend(session);
    assert_eq!(backend(session), first);
    session.batch_execute("INSERT INTO items (name) VALUES ('three'); COMMIT").unwrap();
    assert_eq!(count(session, "three"), 2);
}
