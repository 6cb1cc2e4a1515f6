//! State of a session: kept while the session lasts, never left to the next one.

use aurora_tests::Session;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{backend, stand};

fn setting(session: &mut Session, name: &str) -> String {
    let current = diesel::dsl::sql::<Text>(&format!("current_setting('{name}')"));
    diesel::select(current).get_result(session).unwrap()
}

#[test]
fn a_setting_holds_for_the_session_and_not_for_the_next_one() {
    let stand = stand(3);
    {
        let session = &mut stand.session();
        session.batch_execute("SET work_mem = '77MB'").unwrap();
        let pid = backend(session);
        for _ in 0..20 {
            assert_eq!((setting(session, "work_mem").as_str(), backend(session)), ("77MB", pid));
        }
    }
    for _ in 0..20 {
        let session = &mut stand.session();
        assert_ne!(setting(session, "work_mem"), "77MB");
        let on_writer = session.on_writer(|session| QueryResult::Ok(setting(session, "work_mem")));
        assert_ne!(on_writer.unwrap(), "77MB");
    }
}

#[test]
fn a_setting_of_a_transaction_ends_with_it() {
    let stand = stand(2);
    let session = &mut stand.session();
    let inside = session.transaction(|session| {
        session.batch_execute("SET LOCAL work_mem = '77MB'")?;
        QueryResult::Ok(setting(session, "work_mem"))
    });
    assert_eq!(inside.unwrap(), "77MB");
    assert_ne!(setting(session, "work_mem"), "77MB");
}

#[test]
fn reset_gives_a_session_its_freedom_back() {
    let stand = stand(2);
    let session = &mut stand.session();
    session.batch_execute("SET work_mem = '77MB'").unwrap();
    session.batch_execute("BEGIN").unwrap();
    session.reset();
    assert_ne!(setting(session, "work_mem"), "77MB");
    assert_eq!(stand.counting(|| session.batch_execute("SELECT 1").unwrap()), [0, 1]);
    assert!(session.transaction(|session| session.batch_execute("SELECT 1")).is_ok());
}
