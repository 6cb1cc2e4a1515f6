//! Statements that the protocol has no room for: more than 65535 values.

use aurora_core::Health;
use aurora_diesel::Outcome;
use aurora_tests::{Session, items};
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Integer;

use super::{count, insert, stand};

fn insert_too_many(session: &mut Session) -> Error {
    let rows = vec![(items::id.eq(0), items::name.eq("too many")); 40_000];
    diesel::insert_into(items::table).values(rows).execute(session).unwrap_err()
}

#[track_caller]
fn assert_is_the_drivers(error: &Error) {
    let Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, information) = error else {
        panic!("{error:?}");
    };
    assert!(information.message().contains("number of parameters"), "{error}");
    assert_eq!(aurora_diesel::outcome(error), Outcome::NotApplied);
}

#[test]
fn a_statement_that_cannot_be_sent_costs_neither_its_connection_nor_its_transaction() {
    let stand = stand(2);
    let session = &mut stand.session();
    insert(session, "before").unwrap();
    let of_writer = || (stand.instance(0).stats().connects(), stand.instance(0).stats().breaks());
    let before = of_writer();
    let kept = session.transaction(|session| {
        insert(session, "kept")?;
        assert_is_the_drivers(&insert_too_many(session));
        insert(session, "kept")
    });
    assert!(kept.is_ok(), "{kept:?}");
    assert_is_the_drivers(&insert_too_many(session));
    assert_eq!(count(session, "kept"), 2);
    assert_eq!(of_writer(), before, "no connection was given up, nor those beside it");
    assert_eq!(stand.instance(0).health(), Health::Online);
}

#[derive(Debug, QueryableByName)]
struct Answer {
    #[diesel(sql_type = Integer)]
    _answer: i32,
}

#[test]
fn a_query_that_cannot_be_sent_row_by_row_is_no_loss_of_its_instance() {
    let stand = stand(2);
    let session = &mut stand.session();
    let breaks = stand.instance(1).stats().breaks();
    let places: Vec<_> = (1..=70_000).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT 1 AS _answer WHERE 1 IN ({})", places.join(", "));
    let mut query = diesel::sql_query(sql).into_boxed();
    for _ in &places {
        query = query.bind::<Integer, _>(1);
    }
    let rows = query.load_iter::<Answer, PgRowByRowLoadingMode>(session);
    assert_is_the_drivers(&rows.map(|_| ()).unwrap_err());
    assert_eq!(count(session, "a"), 1);
    assert_eq!(stand.instance(1).stats().breaks(), breaks);
    assert_eq!(stand.instance(1).health(), Health::Online);
}
