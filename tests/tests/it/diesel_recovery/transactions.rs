//! Transactions that lose their connection.

use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::PgCluster;

fn stand() -> Stand {
    let stand = Stand::with(PgCluster::builder().instances(2).synchronous(true), "");
    stand.seed(ITEMS);
    stand
}

fn insert(session: &mut Session, name: &str) -> QueryResult<usize> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session)
}

fn stored(stand: &Stand, name: &str) -> i64 {
    let mut writer = stand.kit.client(stand.kit.writer()).unwrap();
    let sql = "SELECT count(*) FROM items WHERE name = $1";
    writer.query_one(sql, &[&name]).unwrap().get(0)
}

/// Ends every session of the library, but not the monitor's.
fn terminate(stand: &Stand, index: usize) {
    let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
               WHERE application_name = 'aurora'";
    let ended: i64 = stand.kit.superuser(index).unwrap().query_one(sql, &[]).unwrap().get(0);
    assert!(ended > 0);
}

#[test]
fn a_session_without_its_transaction_is_usable_after_reset_or_rollback() {
    let stand = stand();
    let session = &mut stand.session();
    for end in ["reset", "rollback"] {
        session.batch_execute("BEGIN").unwrap();
        insert(session, "gone").unwrap();
        terminate(&stand, 0);
        assert!(insert(session, "gone").is_err());
        assert!(insert(session, "gone").is_err(), "the transaction is not forgotten silently");
        match end {
            "reset" => session.reset(),
            _ => session.batch_execute("ROLLBACK").unwrap(),
        }
        assert_eq!(insert(session, "here"), Ok(1), "{end}");
    }
    assert_eq!((stored(&stand, "gone"), stored(&stand, "here")), (0, 2));
}
