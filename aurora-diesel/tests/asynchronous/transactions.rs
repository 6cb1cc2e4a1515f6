//! Transactions, savepoints, and what becomes of them when their connection is lost.

use aurora_diesel::{Outcome, outcome, retry};
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use crate::stand::{ITEMS, Stand, add, is_on_reader, names};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_stays_and_what_is_rolled_back_does_not() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    session
        .transaction::<_, Error, _>(async |session| {
            add(session, "outer").await?;
            assert!(!is_on_reader(session).await);
            let inner = session
                .transaction::<(), Error, _>(async |session| {
                    add(session, "inner").await?;
                    Err(Error::RollbackTransaction)
                })
                .await;
            assert!(matches!(inner, Err(Error::RollbackTransaction)));
            session.transaction(async |session| add(session, "second").await).await?;
            Ok(())
        })
        .await
        .unwrap();
    let gone = session
        .transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            Err(Error::RollbackTransaction)
        })
        .await;
    assert!(gone.is_err());
    assert_eq!(names(session).await, ["outer", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_transactions_run_on_readers_unless_serializable() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let read = async |session: &mut _| Ok::<_, Error>(is_on_reader(session).await);
    let on_reader = session.build_transaction().repeatable_read().read_only().run(read).await;
    assert!(on_reader.unwrap());
    let on_reader = session.build_transaction().serializable().read_only().run(read).await;
    assert!(!on_reader.unwrap());
    let refused = session
        .build_transaction()
        .read_only()
        .run(async |session| add(session, "never").await)
        .await
        .unwrap_err();
    let is_refusal = |error: &Error| {
        matches!(error, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _))
    };
    assert!(is_refusal(&refused), "{refused}");
    let refused = session
        .build_transaction()
        .read_only()
        .run(async |session| session.writer().await.map(|_| ()))
        .await
        .unwrap_err();
    assert!(is_refusal(&refused), "{refused}");
}

/// Ends the backends of all of the application's connections to the writer.
fn terminate(stand: &Stand) {
    let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = 'app' AND application_name NOT LIKE '%monitor%'";
    assert!(stand.ask(0, sql) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_lost_its_connection_fails_until_it_is_rolled_back() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let result = session
        .transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            terminate(&stand);
            let first = add(session, "gone too").await.unwrap_err();
            assert_eq!(outcome(&first), Outcome::NotApplied, "{first}");
            // Outside of the transaction it was meant for it must not run.
            let second = session.transaction(async |session| add(session, "stray").await).await;
            assert_eq!(outcome(&second.unwrap_err()), Outcome::NotApplied);
            Ok(())
        })
        .await;
    assert_eq!(outcome(&result.unwrap_err()), Outcome::NotApplied);
    assert_eq!(names(session).await, [""; 0]);
    session.transaction(async |session| add(session, "new").await).await.unwrap();
    assert_eq!(names(session).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_lost_its_connection_is_unknown_or_was_not_sent() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let result = session
        .transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            terminate(&stand);
            Ok(())
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(
        retry(&error) == aurora_diesel::Retry::IfIdempotent,
        outcome(&error) == Outcome::Unknown
    );
    assert_eq!(aurora_diesel::instance(&error), Some(stand.kit.name(0).as_str()));
    // The session goes on.
    add(session, "new").await.unwrap();
    assert_eq!(names(session).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_state_that_is_lost_is_reported_once() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    session.batch_execute("SET work_mem = '1MB'").await.unwrap();
    terminate(&stand);
    let error = session.batch_execute("SET work_mem = '2MB'").await.unwrap_err();
    assert_ne!(outcome(&error), Outcome::Applied);
    add(session, "new").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_server_refused_ends_the_transaction() {
    let sql = "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    let stand = Stand::new(2, sql).await;
    let session = &mut stand.session();
    add(session, "one").await.unwrap();
    let twice = session.transaction(async |session| add(session, "one").await).await;
    let error = twice.unwrap_err();
    assert!(matches!(error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)));
    assert_eq!(names(session).await, ["one"]);
    let reader = is_on_reader(session).await;
    assert!(session.transaction(async |session| add(session, "two").await).await.is_ok());
    assert!(reader || stand.connections() > 0);
}
