//! Transactions on readers, and state that is lost with its connection.

use aurora_diesel::{Outcome, outcome};
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::SimpleAsyncConnection;

use crate::stand::{ITEMS, Stand, add};

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_is_not_to_be_had_in_a_transaction_on_a_reader() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    let refused = session
        .build_transaction()
        .read_only()
        .run(async |session| session.writer().await.map(|_| ()))
        .await
        .unwrap_err();
    let is_refusal =
        matches!(refused, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
    assert!(is_refusal, "{refused}");
}

/// Ends the backends of all of the application's connections to the writer.
fn terminate(stand: &Stand) {
    let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = 'app' AND application_name NOT LIKE '%monitor%'";
    assert!(stand.ask(0, sql) > 0);
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
