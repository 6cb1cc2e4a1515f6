//! Transactions: on one connection, all or nothing, whatever the server does to them.

use aurora_core::Outcome;
use aurora_diesel::{MarkerTable, Resolve, Retry, RunOptions};
use aurora_tests::items;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::BigInt;

use super::stand::{Session, Stand};

fn add(session: &mut Session, name: &str) -> QueryResult<()> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session).map(drop)
}

fn id(session: &mut Session) -> QueryResult<i64> {
    sql::<BigInt>("SELECT CONNECTION_ID()").get_result(session)
}

#[test]
fn a_transaction_stays_on_one_connection_of_the_writer() {
    let stand = Stand::new(3);
    let session: &mut Session = &mut stand.session();
    let places = stand.counting::<3>(|| {
        session
            .transaction(|session| {
                let first = id(session)?;
                add(session, "new")?;
                session
                    .transaction(|session| {
                        add(session, "undone")?;
                        Err::<(), _>(Error::RollbackTransaction)
                    })
                    .unwrap_err();
                let _: i64 = items::table.count().get_result(session)?;
                assert_eq!(id(session)?, first);
                assert_eq!(stand.stored("new"), 0, "not committed yet");
                QueryResult::Ok(())
            })
            .unwrap();
    });
    assert_eq!((places[1], places[2]), (0, 0), "{places:?}");
    assert_eq!((stand.stored("new"), stand.stored("undone")), (1, 0));
    session
        .transaction(|session| {
            add(session, "gone")?;
            Err::<(), _>(Error::RollbackTransaction)
        })
        .unwrap_err();
    assert_eq!(stand.stored("gone"), 0);
    stand.assert_clean();
}

#[test]
fn a_read_only_transaction_runs_on_a_reader() {
    let stand = Stand::new(2);
    let session: &mut Session = &mut stand.session();
    let count = |session: &mut Session| items::table.count().get_result::<i64>(session);
    let builders: [(&str, [u64; 2]); 3] =
        [("plain", [0, 3]), ("repeatable", [0, 3]), ("serializable", [3, 0])];
    for (name, expected) in builders {
        let places = stand.counting(|| {
            let transaction = session.build_transaction().read_only();
            let transaction = match name {
                "plain" => transaction,
                "repeatable" => transaction.repeatable_read(),
                _ => transaction.serializable(),
            };
            assert_eq!(transaction.run(count), Ok(3), "{name}");
        });
        assert_eq!(places, expected, "{name}");
    }
    let error = session.build_transaction().read_only().run(|session| add(session, "x"));
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)),
        "{error:?}"
    );
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
    assert!(id(session).is_ok() && add(session, "y").is_ok());
    stand.assert_clean();
}

/// Two sessions that wait for each other; the outcome of the one that the server chose.
fn deadlock(stand: &Stand, ignored: bool) -> QueryResult<()> {
    let update = |session: &mut Session, id: i32, name: &str| {
        diesel::update(items::table.find(id)).set(items::name.eq(name)).execute(session).map(drop)
    };
    let other: &mut Session = &mut stand.session();
    other.batch_execute("BEGIN").unwrap();
    // The one that has changed more survives.
    other.batch_execute("INSERT INTO items (name) VALUES ('o'), ('o'), ('o'), ('o')").unwrap();
    update(other, 1, "other").unwrap();
    let session: &mut Session = &mut stand.session();
    let result = session.transaction(|session| {
        add(session, "half")?;
        update(session, 2, "ours")?;
        let failed = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| update(other, 2, "other"));
            let waits = "DO SLEEP(0.11); SELECT COUNT(*) FROM information_schema.INNODB_TRX \
                         WHERE trx_state = 'LOCK WAIT'";
            aurora_tests::eventually("the other one waits", || stand.ask(waits) == 1);
            let failed = update(session, 1, "ours");
            waiting.join().unwrap().unwrap();
            failed
        });
        assert!(
            matches!(failed, Err(Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _))),
            "{failed:?}"
        );
        if !ignored {
            return failed;
        }
        // The server goes on in autocommit mode: nothing may be sent to it.
        let after = add(session, "stray").unwrap_err();
        assert_eq!(aurora_diesel::outcome(&after), Outcome::NotApplied, "{after}");
        Ok(())
    });
    other.batch_execute("ROLLBACK").unwrap();
    add(session, "afterwards").unwrap();
    result
}

#[test]
fn what_the_server_rolls_back_for_a_deadlock_is_lost_as_a_whole() {
    let stand = Stand::new(1);
    let error = deadlock(&stand, false).unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied, "{error}");
    assert_eq!(aurora_diesel::retry(&error), Retry::AfterTopologyChange, "{error}");
    deadlock(&stand, true).expect_err("it must not look committed");
    let stored = ["half", "stray", "ours", "other", "afterwards"].map(|name| stand.stored(name));
    assert_eq!(stored, [0, 0, 0, 0, 2]);
    stand.assert_clean();
}

#[test]
fn a_transaction_that_a_definition_has_committed_ends_where_it_was() {
    let stand = Stand::new(2);
    let session: &mut Session = &mut stand.session();
    session
        .transaction(|session| {
            add(session, "before")?;
            let first = id(session)?;
            session.batch_execute("CREATE TABLE made (id INT)")?;
            assert_eq!(stand.stored("before"), 1, "the server has committed");
            add(session, "behind")?;
            let _: i64 = items::table.count().get_result(session)?;
            assert_eq!(id(session)?, first, "still the same connection");
            QueryResult::Ok(())
        })
        .unwrap();
    assert_eq!(stand.stored("behind"), 1);
    add(session, "afterwards").unwrap();
    stand.assert_clean();
}

#[test]
fn a_replayable_transaction_is_run_again_on_the_new_writer() {
    let stand = Stand::new(2);
    let session: &mut Session = &mut stand.session();
    let mut attempts = 0;
    let options = RunOptions::new().serializable();
    session
        .run_transaction_with(&options, |session| {
            attempts += 1;
            add(session, "replayed")?;
            if attempts == 1 {
                stand.kit.kill_and_promote(1).unwrap();
            }
            add(session, "replayed")
        })
        .unwrap();
    assert_eq!((attempts, stand.stored("replayed")), (2, 2));
}

#[test]
fn a_marker_is_written_with_the_transaction_that_wrote() {
    let stand = Stand::new(2);
    let table = MarkerTable::default();
    stand.cluster.create_marker_table_blocking(&table).unwrap();
    let session: &mut Session = &mut stand.session();
    let options = RunOptions::new().resolve(Resolve::Marker(table));
    session.run_transaction_with(&options, |session| add(session, "marked")).unwrap();
    assert_eq!(stand.stored("marked"), 1);
    assert_eq!(stand.ask("SELECT COUNT(*) FROM aurora_transactions"), 1);
}
