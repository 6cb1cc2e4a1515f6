//! Futures that are dropped at every point at which they can be.

use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use test_kit::polled;

use super::stand::{
    ITEMS, LEDGER, Ledger, Session, Stand, add, eventually, is_on_reader, ledger, names, write,
};

/// Why a write failed whose future was dropped.
const DROPPED: &str = "dropped";

async fn insert(session: &mut Session, id: i64) -> QueryResult<()> {
    let insert = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
    insert.execute(session).await.map(|_| ())
}

async fn insert_in_transaction(session: &mut Session, id: i64) -> QueryResult<()> {
    session
        .transaction::<_, Error, _>(async |session| {
            session.transaction(async |session| insert(session, id).await).await?;
            let _: i64 = ledger::table.count().get_result(session).await?;
            Ok(())
        })
        .await
}

/// One operation, dropped after so many polls; what became of it is noted.
async fn one(session: &mut Session, book: &Ledger, kind: usize, polls: usize) {
    let id = match kind {
        0 | 1 => book.take_id(),
        _ => {
            let count = ledger::table.count().get_result::<i64>(session);
            if let Some(result) = polled(polls, count).await {
                result.unwrap();
            }
            return;
        }
    };
    let result = match kind {
        0 => polled(polls, insert(session, id)).await,
        _ => polled(polls, insert_in_transaction(session, id)).await,
    };
    match result {
        Some(result) => book.note(id, 0, result),
        // Nobody knows what became of it.
        None => book.note_outcome(id, 0, Some((Outcome::Unknown, DROPPED.to_owned()))),
    }
}

/// No connection is left in a transaction.
async fn assert_clean(stand: &Stand, book: &Ledger) {
    for instance in 0..stand.kit.len() {
        eventually("nobody is in a transaction", async || stand.busy(instance, "") == "0").await;
    }
    let errors = book.errors();
    assert!(errors.iter().all(|(.., text)| text == DROPPED), "{errors:?}");
    stand.kit(|kit| book.verify(kit));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_after_dropped_operations() {
    let stand = Stand::new(2, LEDGER).await;
    let session = &mut stand.session();
    let book = Ledger::default();
    for round in 0..360 {
        let (kind, polls) = (round % 3, 1 + (round / 3) % 60);
        one(session, &book, kind, polls).await;
    }
    write(&book, 0, session).await;
    assert!(book.acknowledged() > 0, "{:?}", book.errors());
    assert_clean(&stand, &book).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_after_a_dropped_transaction() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    for polls in 1..30 {
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
    }
    assert_eq!(names(session).await, ["kept"; 29]);
    eventually("nobody is in a transaction", async || stand.busy(0, "") == "0").await;
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
async fn a_dropped_statement_ends_with_its_connection() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let scope = session.on_writer(async |session| session.batch_execute("DO SLEEP(60)").await);
    let limit = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(limit, scope).await.is_err());
    session.reset();
    assert!(is_on_reader(session).await);
    eventually("its connection is closed", async || stand.open(0) == 0).await;
}
