//! Transactions begun through Diesel.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aurora_tests::{Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};

use super::{backend, count, insert, stand};

#[test]
fn a_transaction_runs_on_one_connection_of_the_writer() {
    let stand = stand(3);
    let session = &mut stand.session();
    let [writer, one, two] = stand.counting(|| {
        let pids = session.transaction(|session| {
            let first = backend(session);
            insert(session, "new")?;
            assert_eq!(count(session, "new"), 1, "it sees its own row");
            QueryResult::Ok([first, backend(session)])
        });
        let [first, last] = pids.unwrap();
        assert_eq!(first, last);
    });
    assert_eq!((writer, one, two), (6, 0, 0));
    assert_eq!(count(session, "new"), 1, "and after the commit");
}

#[test]
fn savepoints_nest_and_roll_back_one_by_one() {
    let stand = stand(2);
    let session = &mut stand.session();
    let done = session.transaction(|session| {
        insert(session, "outer")?;
        let inner = session.transaction(|session| {
            insert(session, "inner")?;
            let innermost: QueryResult<()> = session.transaction(|session| {
                insert(session, "innermost")?;
                Err(Error::RollbackTransaction)
            });
            assert_eq!(innermost, Err(Error::RollbackTransaction));
            insert(session, "inner")
        });
        assert!(inner.is_ok());
        // A statement that fails is undone by its savepoint.
        let failed = session.transaction(|session| insert_duplicate(session));
        assert!(is(&failed, &DatabaseErrorKind::UniqueViolation), "{failed:?}");
        QueryResult::Ok(())
    });
    done.unwrap();
    let counts = ["outer", "inner", "innermost"].map(|name| count(session, name));
    assert_eq!(counts, [1, 2, 0]);
}

fn insert_duplicate(session: &mut Session) -> QueryResult<usize> {
    let new = (items::id.eq(1), items::name.eq("duplicate"));
    diesel::insert_into(items::table).values(&new).execute(session)
}

fn is<T>(result: &QueryResult<T>, expected: &DatabaseErrorKind) -> bool {
    let Err(Error::DatabaseError(kind, _)) = result else { return false };
    std::mem::discriminant(kind) == std::mem::discriminant(expected)
}

#[test]
fn a_rolled_back_transaction_leaves_nothing_and_the_session_usable() {
    let stand = stand(2);
    let session = &mut stand.session();
    let rolled_back: QueryResult<()> = session.transaction(|session| {
        insert(session, "gone")?;
        Err(Error::RollbackTransaction)
    });
    assert_eq!(rolled_back, Err(Error::RollbackTransaction));
    let failed = session.transaction(|session| {
        insert(session, "gone")?;
        insert_duplicate(session)
    });
    assert!(is(&failed, &DatabaseErrorKind::UniqueViolation), "{failed:?}");
    let aborted = session.transaction(|session| {
        let _ = insert_duplicate(session);
        insert(session, "gone")
    });
    assert!(aborted.is_err(), "the transaction was aborted by its first statement");
    assert_eq!(session.on_writer(|session| QueryResult::Ok(count(session, "gone"))), Ok(0));
    insert(session, "here").unwrap();
    assert_eq!(count(session, "here"), 1);
}

#[test]
fn a_read_only_transaction_runs_on_one_reader_and_refuses_writes() {
    let stand = stand(3);
    let session = &mut stand.session();
    let places = stand.counting::<3>(|| {
        let read = session.build_transaction().repeatable_read().read_only().run(|session| {
            let first = backend(session);
            assert_eq!(count(session, "a"), 1);
            QueryResult::Ok(first == backend(session))
        });
        assert_eq!(read, Ok(true));
    });
    assert_eq!(places[0], 0, "{places:?}");
    assert!(places.contains(&5), "all of it on one reader: {places:?}");
    let refused = session.build_transaction().read_only().run(|session| insert(session, "refused"));
    assert!(is(&refused, &DatabaseErrorKind::ReadOnlyTransaction), "{refused:?}");
    assert_eq!(aurora_diesel::outcome(&refused.unwrap_err()), aurora_diesel::Outcome::NotApplied);
    insert(session, "usable").unwrap();
    assert_eq!((count(session, "usable"), count(session, "refused")), (1, 0));
}

#[test]
fn a_serializable_read_only_transaction_runs_on_the_writer() {
    let stand = stand(2);
    let session = &mut stand.session();
    let places = stand.counting(|| {
        let mut builder = session.build_transaction().serializable().read_only().deferrable();
        assert_eq!(builder.run(|session| QueryResult::Ok(count(session, "a"))), Ok(1));
    });
    assert_eq!(places, [3, 0]);
}

#[test]
fn a_panic_in_a_transaction_poisons_nothing() {
    let stand = stand(2);
    let panics = |session: &mut Session| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            session.transaction(|session| -> QueryResult<()> {
                session.batch_execute("UPDATE items SET name = 'panicked'")?;
                panic!("on purpose")
            })
        }));
        assert!(result.is_err());
    };
    // The session outlives the panic.
    panics(&mut stand.session());
    // The session is dropped by the panic.
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        let mut session = stand.session();
        session.batch_execute("BEGIN; UPDATE items SET name = 'panicked'").unwrap();
        panic!("on purpose")
    }));
    assert!(dropped.is_err());
    for _ in 0..8 {
        let session = &mut stand.session();
        session.batch_execute("SELECT 1").unwrap();
        let locked = "SET LOCAL lock_timeout = '5s'; UPDATE items SET name = name";
        session.transaction(|session| session.batch_execute(locked)).unwrap();
        assert_eq!(count(session, "panicked"), 0);
    }
}
