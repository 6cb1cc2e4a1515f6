//! Transactions that lose their connection.

use std::thread;

use aurora_diesel::{Outcome, Retry};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, eventually, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::Error;
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
fn a_transaction_killed_before_its_commit_was_not_applied_and_can_be_run_again() {
    let stand = stand();
    let mut session = stand.session();
    let attempt = |session: &mut Session, kill: bool| {
        session.transaction(|session| {
            insert(session, "once")?;
            // The loss is noticed in a savepoint.
            session.transaction(|session| {
                if kill {
                    stand.kit.kill_and_promote(1).unwrap();
                }
                insert(session, "once")
            })
        })
    };
    let error = attempt(&mut session, true).unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    assert_eq!(aurora_diesel::retry(&error), Retry::AfterTopologyChange, "{error}");
    // The same session, without any help.
    attempt(&mut session, false).unwrap();
    assert_eq!(stored(&stand, "once"), 2);
}

#[test]
fn a_connection_lost_in_a_transaction_never_leaves_it_half_done() {
    let stand = stand();
    let mut session = stand.session();
    let half = session.transaction(|session| {
        insert(session, "half")?;
        terminate(&stand, 0);
        // Even if the application goes on after the error, nothing runs elsewhere.
        let lost = insert(session, "half").unwrap_err();
        assert_eq!(aurora_diesel::outcome(&lost), Outcome::NotApplied, "{lost}");
        let after = insert(session, "half").unwrap_err();
        assert!(after.to_string().contains("transaction was lost"), "{after}");
        let read = items::table.count().get_result::<i64>(session).unwrap_err();
        assert!(read.to_string().contains("transaction was lost"), "{read}");
        QueryResult::Ok(())
    });
    let error = half.expect_err("it must not look committed");
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    drop(session);
    let session = &mut stand.session();
    assert_eq!(insert(session, "whole"), Ok(1));
    assert_eq!((stored(&stand, "half"), stored(&stand, "whole")), (0, 1));
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

#[test]
fn a_commit_that_is_cut_off_is_unknown() {
    let stand = stand();
    stand.seed(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON items \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    thread::scope(|scope| {
        let committing = scope.spawn(|| {
            let session = &mut stand.session();
            let result: QueryResult<usize> =
                session.transaction(|session| insert(session, "doubtful"));
            let after = insert_quickly(session);
            (result.unwrap_err(), after)
        });
        let mut superuser = stand.kit.superuser(0).unwrap();
        eventually("the commit is under way", || {
            let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                       WHERE wait_event = 'PgSleep' AND query ILIKE 'commit%')";
            superuser.query_one(sql, &[]).unwrap().get(0)
        });
        terminate(&stand, 0);
        let (error, after) = committing.join().unwrap();
        assert_eq!(aurora_diesel::outcome(&error), Outcome::Unknown, "{error}");
        assert_eq!(aurora_diesel::retry(&error), Retry::IfIdempotent, "{error}");
        assert_eq!(after, Ok(()));
    });
    assert_eq!(stored(&stand, "doubtful"), 0, "this time it was not applied");
}

fn insert_quickly(session: &mut Session) -> QueryResult<()> {
    session.batch_execute("CREATE TABLE other (id int)")
}

#[test]
fn a_read_only_transaction_on_a_reader_that_dies_fails_and_can_be_run_again() {
    let stand = stand();
    let session = &mut stand.session();
    let mut report = |kill: bool| {
        session.build_transaction().read_only().run(|session| {
            session.batch_execute("SELECT 1")?;
            if kill {
                stand.kit.kill(1).unwrap();
            }
            items::table.count().get_result::<i64>(session)
        })
    };
    let error = report(true).unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    assert!(!matches!(error, Error::BrokenTransactionManager), "{error}");
    assert_eq!(report(false), Ok(0), "now on the writer, which is all there is");
}
