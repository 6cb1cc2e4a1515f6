//! `LAST_INSERT_ID()` tells of the session's own INSERT, or nothing.

use aurora_core::Outcome;
use aurora_tests::items;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;

use super::stand::{Session, Stand};

fn add(session: &mut Session, name: &str) -> QueryResult<usize> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session)
}

fn last_id(session: &mut Session) -> QueryResult<i64> {
    sql::<BigInt>("SELECT LAST_INSERT_ID()").get_result(session)
}

#[test]
fn an_id_is_that_of_the_sessions_own_insert() {
    let stand = Stand::new(3);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let stand = &stand;
            scope.spawn(move || {
                for round in 0..25 {
                    let session = &mut stand.session();
                    let name = format!("{thread}/{round}");
                    add(session, &name).unwrap();
                    let id = i32::try_from(last_id(session).unwrap()).unwrap();
                    let found: String = session
                        .on_writer(|session| {
                            items::table.find(id).select(items::name).get_result(session)
                        })
                        .unwrap();
                    assert_eq!(found, name);
                }
            });
        }
    });
    stand.assert_clean();
}

#[test]
fn an_id_whose_connection_was_left_is_an_error_and_never_another_ones() {
    let stand = Stand::new(2);
    let session = &mut stand.session();
    add(session, "first").unwrap();
    // To a reader, whatever it shows.
    let _: Vec<String> =
        session.on_reader(|session| items::table.select(items::name).load(session)).unwrap();
    add(&mut stand.session(), "of somebody else").unwrap();
    let error = last_id(session).unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
    assert!(error.to_string().contains("left since"), "{error}");
    session.batch_execute("INSERT INTO ledger VALUES (LAST_INSERT_ID())").unwrap_err();
    // What makes no number brings none back, nor does a transaction.
    session
        .transaction(|session| {
            session.batch_execute("UPDATE items SET name = 'b' WHERE id = 2")?;
            last_id(session).unwrap_err();
            QueryResult::Ok(())
        })
        .unwrap();
    // The next INSERT has one again.
    add(session, "second").unwrap();
    let id = last_id(session).unwrap();
    assert_eq!(
        stand.ask(&format!("SELECT COUNT(*) FROM items WHERE id = {id} AND name = 'second'")),
        1
    );
    session.batch_execute("INSERT INTO ledger VALUES (LAST_INSERT_ID())").unwrap();
    assert_eq!(stand.ask(&format!("SELECT COUNT(*) FROM ledger WHERE id = {id}")), 1);
}

#[test]
fn an_id_that_was_lost_with_its_connection_is_an_error() {
    let stand = Stand::new(1);
    let session = &mut stand.session();
    add(session, "lost").unwrap();
    let id: i64 = sql::<BigInt>("SELECT CONNECTION_ID()").get_result(session).unwrap();
    stand.terminate(0, id);
    let error = last_id(session).unwrap_err();
    assert_ne!(aurora_diesel::outcome(&error), Outcome::Applied, "{error}");
    last_id(session).unwrap_err();
    assert_eq!(stand.stored("lost"), 1);
}

#[test]
fn in_a_transaction_it_is_always_at_hand() {
    let stand = Stand::new(2);
    let session = &mut stand.session();
    session
        .transaction(|session| {
            add(session, "in a transaction")?;
            let _: i64 = items::table.count().get_result(session)?;
            let id = last_id(session)?;
            assert!(id > 3, "{id}");
            QueryResult::Ok(())
        })
        .unwrap();
}
