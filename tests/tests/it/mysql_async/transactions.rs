//! Transactions: committed, rolled back, on readers, and given up by the server.

use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};

use super::stand::{ITEMS, Session, Stand, add, eventually, is_on_reader, names};

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_committed_or_rolled_back_whole() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let kept = session
        .transaction::<_, Error, _>(async |session| {
            add(session, "one").await?;
            assert!(!is_on_reader(session).await, "on the connection of its BEGIN");
            let inner = session.transaction::<(), Error, _>(async |session| {
                add(session, "inner").await?;
                Err(Error::RollbackTransaction)
            });
            assert_eq!(inner.await, Err(Error::RollbackTransaction));
            add(session, "two").await
        })
        .await;
    assert_eq!(kept, Ok(1));
    let gone = session.transaction::<(), Error, _>(async |session| {
        add(session, "gone").await?;
        Err(Error::NotFound)
    });
    assert_eq!(gone.await, Err(Error::NotFound));
    assert_eq!(names(session).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_transaction_runs_on_a_reader() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    for is_serializable in [false, true] {
        let builder = session.build_transaction().read_only();
        let mut builder =
            if is_serializable { builder.serializable() } else { builder.repeatable_read() };
        let on_reader = builder.run(async |session| {
            let refused = add(session, "never").await.unwrap_err();
            let is_refusal =
                matches!(refused, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
            assert!(is_refusal, "{refused}");
            QueryResult::Ok(is_on_reader(session).await)
        });
        assert_eq!(on_reader.await, Ok(!is_serializable));
    }
    // Nothing of the levels is left on connections.
    let mut builder = session.build_transaction().read_committed();
    builder.run(async |session| add(session, "one").await).await.unwrap();
    let level = "SELECT CASE WHEN @@SESSION.tx_isolation = 'REPEATABLE-READ' THEN 0 ELSE 1 END";
    let other: i64 =
        diesel::dsl::sql::<diesel::sql_types::BigInt>(level).get_result(session).await.unwrap();
    assert_eq!(other, 0);
    assert_eq!(names(session).await, ["one"]);
}

async fn rename(session: &mut Session, id: i32, name: &str) -> QueryResult<usize> {
    use super::stand::items;
    diesel::update(items::table.find(id)).set(items::name.eq(name)).execute(session).await
}

/// After a deadlock the server goes on without the transaction; the session must not.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_outside_of_a_transaction_that_a_deadlock_has_ended() {
    let stand = Stand::new(2, ITEMS).await;
    let (one, two) = (&mut stand.session(), &mut stand.session());
    for name in ["a", "b", "c"] {
        add(one, name).await.unwrap();
    }
    // The server gives up the one that has changed less.
    for (session, id) in [(&mut *one, 1), (&mut *two, 2)] {
        session.batch_execute("BEGIN").await.unwrap();
        rename(session, id, "changed").await.unwrap();
    }
    rename(two, 3, "changed").await.unwrap();
    let waits = rename(two, 1, "two");
    let closes = async {
        eventually("it waits", async || stand.busy(0, "LOCK WAIT") == "1").await;
        rename(one, 2, "one").await
    };
    let (waited, closed) = futures_util::future::join(waits, closes).await;
    assert_eq!(waited, Ok(1));
    let error = closed.unwrap_err();
    let is_conflict =
        matches!(error, Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _));
    assert!(is_conflict, "{error}");
    for _ in 0..2 {
        let outside = add(one, "outside").await.unwrap_err();
        assert_eq!(outcome(&outside), Outcome::NotApplied, "{outside}");
    }
    assert!(one.batch_execute("COMMIT").await.is_err(), "it is not committed");
    two.batch_execute("COMMIT").await.unwrap();
    add(one, "after").await.unwrap();
    assert_eq!(names(one).await, ["two", "changed", "changed", "after"]);
}

/// A lock wait timeout undoes its statement alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_had_costs_the_statement_alone() {
    let stand = Stand::new(2, ITEMS).await;
    let (one, two) = (&mut stand.session(), &mut stand.session());
    add(one, "a").await.unwrap();
    one.batch_execute("BEGIN").await.unwrap();
    rename(one, 1, "one").await.unwrap();
    two.batch_execute("SET SESSION innodb_lock_wait_timeout = 1").await.unwrap();
    let kept = two
        .transaction::<_, Error, _>(async |two| {
            add(two, "kept").await?;
            let error = rename(two, 1, "two").await.unwrap_err();
            assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
            add(two, "kept").await
        })
        .await;
    assert_eq!(kept, Ok(1));
    one.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(names(one).await, ["a", "kept", "kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_is_not_to_be_had_in_a_transaction_on_a_reader() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let mut builder = session.build_transaction().read_only();
    let refused = builder.run(async |session| session.writer().await.map(|_| ())).await;
    let refused = refused.unwrap_err();
    let is_refusal =
        matches!(refused, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
    assert!(is_refusal, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn session_state_that_is_lost_is_reported_once() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    session.batch_execute("SET SESSION sort_buffer_size = 100000").await.unwrap();
    let kill = "SELECT GROUP_CONCAT('KILL ', ID SEPARATOR '; ') FROM information_schema.PROCESSLIST \
                WHERE USER = 'app' AND DB = 'app' AND INFO IS NULL";
    let kills = stand.ask(0, kill);
    stand.kit(|kit| kit.superuser(0).unwrap().run(&kills)).unwrap();
    let error = session.batch_execute("SET SESSION sort_buffer_size = 200000").await.unwrap_err();
    assert_ne!(outcome(&error), Outcome::Applied);
    add(session, "new").await.unwrap();
}
