//! LISTEN and NOTIFY through sessions.

use aurora_diesel::Outcome;
use aurora_tests::{Session, eventually};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::{backend, stand};

fn payloads(session: &mut Session) -> QueryResult<Vec<String>> {
    session.notifications_iter().map(|found| found.map(|found| found.payload)).collect()
}

#[test]
fn a_session_that_listens_is_told_what_others_notify() {
    let stand = stand(2);
    let (listener, speaker) = (&mut stand.session(), &mut stand.session());
    assert_eq!(payloads(listener), Ok(Vec::new()), "it has not listened yet");
    diesel::sql_query("LISTEN news").execute(listener).unwrap();
    assert_eq!(payloads(listener), Ok(Vec::new()));
    for payload in ["first", "second"] {
        speaker.batch_execute(&format!("NOTIFY news, '{payload}'")).unwrap();
    }
    let mut all = Vec::new();
    eventually("the notifications arrive", || {
        all.extend(payloads(listener).unwrap());
        all.len() == 2
    });
    assert_eq!(all, ["first", "second"]);
    listener.reset();
    assert_eq!(payloads(listener), Ok(Vec::new()), "it listens no more");
}

#[test]
fn a_listener_is_told_once_that_its_connection_is_lost() {
    let stand = stand(2);
    let listener = &mut stand.session();
    listener.batch_execute("LISTEN news").unwrap();
    let sql = format!("SELECT pg_terminate_backend({}, 5000)", backend(listener));
    stand.kit.superuser(0).unwrap().batch_execute(&sql).unwrap();
    let mut told = None;
    eventually("the loss is noticed", || {
        told = payloads(listener).err();
        told.is_some()
    });
    let error = told.unwrap();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    assert!(error.to_string().contains("was lost"), "{error}");
    assert_eq!(payloads(listener), Ok(Vec::new()), "once");
    listener.batch_execute("LISTEN news; NOTIFY news, 'again'").unwrap();
    eventually("it listens again", || payloads(listener).unwrap() == ["again"]);
}

#[test]
fn a_transaction_is_lost_with_the_connection_that_listens() {
    let stand = stand(2);
    let session = &mut stand.session();
    let result = session.transaction(|session| {
        session.batch_execute("LISTEN news; UPDATE items SET name = 'x'")?;
        let sql = format!("SELECT pg_terminate_backend({}, 5000)", backend(session));
        stand.kit.superuser(0).unwrap().batch_execute(&sql).unwrap();
        eventually("the loss is noticed", || payloads(session).is_err());
        let refused = session.batch_execute("UPDATE items SET name = 'y'");
        assert!(refused.is_err(), "it would run outside of the transaction");
        QueryResult::Ok(())
    });
    assert!(result.is_err(), "nothing was committed");
    assert_eq!(super::count(session, "a"), 1);
}
