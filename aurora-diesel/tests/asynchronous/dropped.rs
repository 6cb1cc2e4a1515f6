//! Futures that are dropped at every point at which they can be.

use aurora_diesel::asynchronous::AuroraConnection;
use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use test_kit::polled;

use crate::ledger::{LEDGER, Ledger, ledger};
use crate::stand::{ITEMS, Stand, add, eventually, is_on_reader, names};

async fn insert(session: &mut AuroraConnection, id: i64) -> QueryResult<()> {
    let insert = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
    insert.execute(session).await.map(|_| ())
}

async fn insert_in_transaction(session: &mut AuroraConnection, id: i64) -> QueryResult<()> {
    session
        .transaction::<_, Error, _>(async |session| {
            session.transaction(async |session| insert(session, id).await).await?;
            let _: i64 = ledger::table.count().get_result(session).await?;
            Ok(())
        })
        .await
}

async fn select(session: &mut AuroraConnection) -> QueryResult<i64> {
    ledger::table.count().get_result(session).await
}

/// One operation, dropped after so many polls; what became of it is noted.
async fn one(session: &mut AuroraConnection, book: &Ledger, kind: usize, polls: usize) {
    if kind == 2 {
        if let Some(result) = polled(polls, select(session)).await {
            result.unwrap();
        }
        return;
    }
    let id = book.take_id();
    let result = match kind {
        0 => polled(polls, insert(session, id)).await,
        _ => polled(polls, insert_in_transaction(session, id)).await,
    };
    match result {
        Some(result) => book.note(id, result),
        None => book.note_dropped(id),
    }
}

/// No connection is left in a transaction, and none is lent to nobody.
async fn assert_clean(stand: &Stand, book: &Ledger) {
    for instance in 0..stand.kit.len() {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND (xact_start IS NOT NULL OR state LIKE '%transaction%') AND application_name NOT LIKE '%monitor%'";
        eventually("nobody is in a transaction", async || stand.ask(instance, sql) == 0).await;
    }
    assert!(book.errors().iter().all(|error| error == "Unknown: dropped"), "{:?}", book.errors());
    book.verify(stand);
}

const ROUNDS: usize = 1200;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_after_dropped_statements() {
    let stand = Stand::new(2, LEDGER).await;
    let session = &mut stand.session();
    let book = Ledger::default();
    for round in 0..ROUNDS / 2 {
        let (kind, polls) = (2 * (round % 2), 1 + (round / 2) % 40);
        one(session, &book, kind, polls).await;
    }
    book.write(session).await;
    assert!(book.acknowledged() > 10, "{}", book.acknowledged());
    assert_clean(&stand, &book).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_after_a_dropped_transaction() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    for polls in 1..40 {
        let whole = session.transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            // Dropped here as well: in the middle of the transaction, and of no statement.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Err(Error::RollbackTransaction)
        });
        let _ = polled(polls, whole).await;
        session.transaction(async |session| add(session, "kept").await).await.unwrap();
        let mut builder = session.build_transaction().read_write();
        let built = builder.run(async |session| {
            add(session, "gone").await?;
            futures_util::future::pending::<Result<(), Error>>().await
        });
        tokio::select! {
            _ = built => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(polls as u64 % 9)) => {}
        }
        add(session, "kept").await.unwrap();
    }
    assert_eq!(names(session).await, ["kept"; 78]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_around_a_dropped_savepoint_cannot_be_committed() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let result = session
        .transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            let inner = session.transaction::<(), Error, _>(async |session| {
                add(session, "gone").await?;
                futures_util::future::pending().await
            });
            let limit = std::time::Duration::from_millis(200);
            assert!(tokio::time::timeout(limit, inner).await.is_err());
            Ok(())
        })
        .await;
    assert_eq!(outcome(&result.unwrap_err()), Outcome::NotApplied);
    session.transaction(async |session| add(session, "kept").await).await.unwrap();
    assert_eq!(names(session).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_ends_also_when_its_future_is_dropped() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let scope =
        session.on_writer(async |session| session.batch_execute("SELECT pg_sleep(9)").await);
    assert!(polled(2, scope).await.is_none());
    session.reset();
    assert!(is_on_reader(session).await);
}
