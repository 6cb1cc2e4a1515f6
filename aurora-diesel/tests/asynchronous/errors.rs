//! Statements that fail on a connection that goes on.

use std::sync::{Arc, Mutex};

use aurora_diesel::Outcome;
use diesel::connection::InstrumentationEvent;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::stand::{ITEMS, Stand, add, items, names};

#[tokio::test(flavor = "multi_thread")]
async fn an_instrumentation_sees_the_users_statements_and_nothing_else() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    session.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            log.lock().unwrap().push(query.to_string());
        }
    });
    for sql in
        ["SELECT nonsense", "SELECT 2", "UPDATE nonsense SET a = 1", "UPDATE items SET id = 1"]
    {
        let _ = session.batch_execute(sql).await;
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), [sql]);
    }
    let ended = session.transaction::<(), diesel::result::Error, _>(async |session| {
        session.batch_execute("SELECT nonsense").await
    });
    assert!(ended.await.is_err());
    assert_eq!(
        std::mem::take(&mut *seen.lock().unwrap()),
        ["BEGIN", "SELECT nonsense", "ROLLBACK"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_cannot_be_sent_costs_neither_its_connection_nor_its_transaction() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    add(session, "before").await.unwrap();
    // The writer's: a reader that has caught up by then serves the reads at the end.
    let connects = |stand: &Stand| {
        let topology = stand.manager.cluster().topology();
        topology.writer().map(|writer| writer.stats().connects())
    };
    let before = connects(&stand);
    let kept = session.transaction::<_, diesel::result::Error, _>(async |session| {
        add(session, "kept").await?;
        // Two values each, and the protocol has room for 65535.
        let rows = vec![(items::id.eq(0), items::name.eq("too many")); 40_000];
        let error = diesel::insert_into(items::table).values(rows).execute(session).await;
        assert_eq!(aurora_diesel::outcome(&error.unwrap_err()), Outcome::NotApplied);
        add(session, "kept").await
    });
    kept.await.unwrap();
    assert_eq!(names(session).await, ["before", "kept", "kept"]);
    let one = diesel::select(diesel::dsl::sql::<Integer>("1")).get_result::<i32>(session).await;
    assert_eq!(one, Ok(1));
    assert_eq!(connects(&stand), before, "no connection was given up");
}
