//! What happens before the COMMIT.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use aurora_diesel::{Outcome, Resolve, RunOptions, outcome};
use aurora_tests::{Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};

use super::{insert, marked, stand, stored};

fn modes() -> [RunOptions; 3] {
    [marked(), RunOptions::new(), RunOptions::new().resolve(Resolve::No)]
}

#[test]
fn a_transaction_killed_before_its_commit_is_run_again_and_applied_once() {
    for (index, options) in modes().into_iter().enumerate() {
        let stand = stand();
        let session = &mut stand.session();
        let name = format!("killed {index}");
        let mut runs = 0;
        let done: QueryResult<usize> = session.run_transaction_with(&options, |session| {
            runs += 1;
            insert(session, &name)?;
            if runs == 1 {
                stand.kit.kill_and_promote(1).unwrap();
            }
            // The loss is noticed in a savepoint.
            session.transaction(|session| insert(session, "after"))
        });
        assert_eq!((done, runs), (Ok(1), 2), "{options:?}");
        assert_eq!((stored(&stand, &name), stored(&stand, "after")), (1, 1));
    }
}

#[derive(Debug, PartialEq)]
enum Mine {
    Database(Error),
    TooPoor,
}

impl From<Error> for Mine {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

#[test]
fn an_error_of_the_closure_rolls_back_and_is_given_back_as_it_is() {
    let stand = stand();
    let session = &mut stand.session();
    for options in modes() {
        let mut runs = 0;
        let refused: Result<(), Mine> = session.run_transaction_with(&options, |session| {
            runs += 1;
            insert(session, "poor")?;
            Err(Mine::TooPoor)
        });
        assert_eq!((refused, runs), (Err(Mine::TooPoor), 1));
        let wrong: Result<usize, Mine> = session.run_transaction_with(&options, |session| {
            runs += 1;
            insert(session, "poor")?;
            Ok(diesel::sql_query("SELECT 1 / 0").execute(session)?)
        });
        assert!(matches!(wrong, Err(Mine::Database(_))), "{wrong:?}");
        assert_eq!(runs, 2);
    }
    assert_eq!(stored(&stand, "poor"), 0);
    assert_eq!(insert(session, "rich"), Ok(1), "the session goes on");
}

#[test]
fn a_closure_that_hides_a_failed_statement_does_not_look_committed() {
    let stand = stand();
    let session = &mut stand.session();
    for options in modes() {
        let mut runs = 0;
        let hidden = session.run_transaction_with(&options, |session| {
            runs += 1;
            insert(session, "hidden")?;
            let _ = diesel::sql_query("SELECT 1 / 0").execute(session);
            QueryResult::Ok(())
        });
        let error = hidden.expect_err("the server would roll back and say nothing");
        assert_eq!((outcome(&error), runs), (Outcome::NotApplied, 1), "{options:?}: {error}");
        assert_eq!(insert(session, "next"), Ok(1), "{options:?}");
    }
    assert_eq!(stored(&stand, "hidden"), 0);
}

#[test]
fn a_panic_rolls_back_and_leaves_a_usable_session() {
    let stand = stand();
    let session = &mut stand.session();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        session.run_transaction(|session| -> QueryResult<()> {
            insert(session, "panic")?;
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(insert(session, "later"), Ok(1));
    assert_eq!((stored(&stand, "panic"), stored(&stand, "later")), (0, 1));
}

#[test]
fn inside_a_transaction_it_is_refused() {
    let stand = stand();
    let session = &mut stand.session();
    let inner = |session: &mut Session| session.run_transaction(|session| insert(session, "in"));
    let nested = session.run_transaction(|session| QueryResult::Ok(inner(session)));
    assert_eq!(nested, Ok(Err(Error::AlreadyInTransaction)));
    let nested = session.transaction(|session| QueryResult::Ok(inner(session)));
    assert_eq!(nested, Ok(Err(Error::AlreadyInTransaction)));
    session.batch_execute("BEGIN").unwrap();
    assert_eq!(inner(session), Err(Error::AlreadyInTransaction));
    session.batch_execute("ROLLBACK").unwrap();
    assert_eq!(stored(&stand, "in"), 0);
}

#[test]
fn a_serialization_failure_is_run_again() {
    let stand = stand();
    stand.seed("INSERT INTO items (name) VALUES ('counter')");
    let session = &mut stand.session();
    let mut runs = 0;
    let done = session.run_transaction_with(&marked().repeatable_read(), |session| {
        runs += 1;
        let _: i64 = items::table.count().get_result(session)?;
        if runs == 1 {
            let mut other = stand.kit.client(0).unwrap();
            other.batch_execute("UPDATE items SET name = 'taken' WHERE name = 'counter'").unwrap();
        }
        // In a savepoint, which does not help.
        session.transaction(|session| {
            diesel::update(items::table).set(items::name.eq("mine")).execute(session)
        })
    });
    assert_eq!((done, runs), (Ok(1), 2));
    assert_eq!(stored(&stand, "mine"), 1);
}

#[test]
fn a_deadlock_is_run_again() {
    let stand = stand();
    stand.seed("INSERT INTO items (name) VALUES ('a'), ('b')");
    let both = Barrier::new(2);
    let update = |session: &mut Session, id: i32, name: &str| {
        diesel::update(items::table.find(id)).set(items::name.eq(name)).execute(session)
    };
    let runs: u32 = thread::scope(|scope| {
        let lock = |first: i32, second: i32| {
            let (both, stand) = (&both, &stand);
            scope.spawn(move || {
                let session = &mut stand.session();
                let mut runs = 0;
                let done = session.run_transaction(|session| {
                    runs += 1;
                    update(session, first, "done")?;
                    if runs == 1 {
                        both.wait();
                    }
                    update(session, second, "done")
                });
                assert_eq!(done, Ok(1));
                runs
            })
        };
        [lock(1, 2), lock(2, 1)].map(|thread| thread.join().unwrap()).into_iter().sum()
    });
    assert_eq!(runs, 3, "one of the two was run again");
    assert_eq!(stored(&stand, "done"), 2);
}

#[test]
fn attempts_end_at_the_deadline_with_an_error_that_tells_them() {
    let stand = stand();
    let session = &mut stand.session();
    let options = RunOptions::new().deadline(std::time::Duration::from_millis(300));
    let mut runs = 0;
    let stopped: QueryResult<()> = session.run_transaction_with(&options, |session| {
        runs += 1;
        session.batch_execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
    });
    let error = stopped.unwrap_err();
    assert!(runs > 1, "{runs}");
    assert!(matches!(error, Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)));
    assert_eq!(outcome(&error), Outcome::NotApplied);
    assert!(error.to_string().contains(&format!("in {runs} attempts")), "{error}");
    assert_eq!(aurora_diesel::instance(&error), Some(stand.kit.name(0).as_str()));
}

#[test]
fn without_a_writer_it_waits_no_longer_than_its_deadline() {
    let stand = stand();
    stand.kit.kill(0).unwrap();
    let session = &mut stand.session();
    let options = RunOptions::new().deadline(std::time::Duration::from_millis(300));
    // With the default `failover_timeout` this would be half a minute.
    let began = std::time::Instant::now();
    let stopped = session.run_transaction_with(&options, |session| insert(session, "never"));
    assert!(began.elapsed() < std::time::Duration::from_secs(15));
    assert_eq!(outcome(&stopped.unwrap_err()), Outcome::NotApplied);
}
