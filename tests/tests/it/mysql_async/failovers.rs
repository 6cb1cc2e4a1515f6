//! Writers that die, fall silent or hand over, under sessions that go on.

use std::time::{Duration, Instant};

use aurora_diesel::{Outcome, outcome};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};

use super::stand::{ITEMS, LEDGER, Ledger, Session, Stand, add, eventually, ledger, names, write};

/// How long a statement on an instance that has fallen silent may take to fail, generously.
const BOUND: Duration = Duration::from_secs(10);

async fn wait_on_writer(session: &mut Session) -> QueryResult<usize> {
    diesel::sql_query("UPDATE items SET name = 'late' WHERE SLEEP(60) = 0").execute(session).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_a_silent_writer_fails_and_the_next_write_gets_through() {
    let stand = Stand::new(3, ITEMS).await;
    let mut waiting = stand.session();
    add(&mut waiting, "one").await.unwrap();
    let pending = tokio::spawn(async move {
        let result = wait_on_writer(&mut waiting).await;
        (waiting, result, Instant::now())
    });
    let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND INFO LIKE 'UPDATE items%'";
    eventually("it runs", async || stand.ask(0, running) == "1").await;
    let began = Instant::now();
    stand.kit(|kit| kit.pause(0)).unwrap();
    let (mut waiting, result, ended) = pending.await.unwrap();
    let error = result.unwrap_err();
    assert!(ended - began < BOUND, "{:?}", ended - began);
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    let session = &mut stand.session();
    let next = add(session, "two");
    let promote = async { stand.kit(|kit| kit.promote(1)).unwrap() };
    let (added, ()) = futures_util::future::join(next, promote).await;
    added.unwrap();
    add(&mut waiting, "three").await.unwrap();
    assert_eq!(names(&mut waiting).await, ["one", "two", "three"]);
}

/// A write is refused by a writer that has just handed over, and is run on the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_demoted_writer_refuses_is_run_on_the_new_one() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    add(session, "one").await.unwrap();
    stand.kit(|kit| kit.switchover(1)).unwrap();
    add(session, "two").await.unwrap();
    assert_eq!(names(session).await, ["one", "two"]);
    assert_eq!(stand.ask(1, "SELECT COUNT(*) FROM items"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_writer_dies_is_lost_and_says_so() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let lost = session
        .transaction::<(), Error, _>(async |session| {
            add(session, "gone").await?;
            stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
            let error = add(session, "gone").await.unwrap_err();
            assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
            let again = add(session, "outside").await.unwrap_err();
            assert_eq!(outcome(&again), Outcome::NotApplied, "{again}");
            Err(error)
        })
        .await;
    assert_eq!(outcome(&lost.unwrap_err()), Outcome::NotApplied);
    add(session, "kept").await.unwrap();
    assert_eq!(names(session).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_reader_dies_is_run_again() {
    let stand = Stand::new(3, ITEMS).await;
    let session = &mut stand.session();
    add(session, "one").await.unwrap();
    stand.kit(|kit| kit.await_readers()).unwrap();
    let mut sessions: Vec<Session> = (0..4).map(|_| stand.session()).collect();
    for session in &mut sessions {
        assert_eq!(names(session).await, ["one"]);
    }
    stand.kit(|kit| kit.kill(1)).unwrap();
    for session in &mut sessions {
        assert_eq!(names(session).await, ["one"]);
    }
}

/// Autocommit writes, transactions and reads of several sessions, until told to stop.
async fn load(stand: &Stand, book: &Ledger, thread: usize) {
    let session = &mut stand.session();
    while !book.is_stopped() {
        write(book, thread, session).await;
        let id = book.take_id();
        let written = session
            .transaction::<_, Error, _>(async |session| {
                let insert = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
                insert.execute(session).await?;
                Ok(())
            })
            .await;
        book.note(id, thread, written);
        let count: QueryResult<i64> = ledger::table.count().get_result(session).await;
        count.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_is_lost_and_no_error_lies_through_failovers() {
    let stand = Stand::new(3, LEDGER).await;
    let book = &Ledger::default();
    let goes_on = async || {
        let goal = book.acknowledged() + 20;
        eventually("writes go on", async || book.acknowledged() > goal).await;
    };
    let hurt = async {
        goes_on().await;
        stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
        goes_on().await;
        stand.kit(|kit| kit.rejoin(0)).unwrap();
        goes_on().await;
        stand.kit(|kit| kit.switchover(2)).unwrap();
        goes_on().await;
        stand.kit(|kit| kit.pause(2)).unwrap();
        stand.kit(|kit| kit.promote(0)).unwrap();
        goes_on().await;
        book.stop();
    };
    let writing = (0..4).map(|thread| load(&stand, book, thread));
    futures_util::future::join(futures_util::future::join_all(writing), hurt).await;
    stand.kit(|kit| book.verify(kit));
    let refused = book.errors().into_iter().filter(|(.., text)| text.contains("read-only"));
    let refused: Vec<_> =
        refused.filter(|(_, outcome, _)| *outcome != Outcome::NotApplied).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let session = &mut stand.session();
    session.batch_execute("DO 0").await.unwrap();
}
