//! Sessions that are dropped in every state leave nothing behind.

use aurora_tests::{eventually, items};
use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::stand::{Pooled, Session, Stand};

/// Leaves the session in a state; whether its connection must not serve others.
type Leave = fn(&mut Session) -> bool;

const STATES: [(&str, Leave); 11] = [
    ("new", |_| false),
    ("after a read", |s| items::table.count().get_result::<i64>(s).is_err()),
    ("after a write", |s| s.batch_execute("UPDATE items SET name = 'a' WHERE id = 1").is_err()),
    ("after an error", |s| s.batch_execute("SELECT no_such_column").is_ok()),
    ("in a transaction by text", |s| {
        s.batch_execute("BEGIN; UPDATE items SET name = 'leaked'").unwrap();
        true
    }),
    ("in a transaction of Diesel's", |s| {
        AnsiTransactionManager::begin_transaction(s).unwrap();
        s.batch_execute("UPDATE items SET name = 'leaked'").unwrap();
        true
    }),
    ("in a savepoint", |s| {
        AnsiTransactionManager::begin_transaction(s).unwrap();
        AnsiTransactionManager::begin_transaction(s).unwrap();
        s.batch_execute("UPDATE items SET name = 'leaked'").unwrap();
        true
    }),
    ("with a setting", |s| {
        s.batch_execute("SET SESSION sql_mode = 'ANSI_QUOTES'").unwrap();
        true
    }),
    ("with a lock", |s| {
        sql::<BigInt>("SELECT GET_LOCK('leaked', 5)").get_result::<i64>(s).unwrap();
        true
    }),
    ("with locked tables", |s| {
        s.batch_execute("LOCK TABLES items WRITE").unwrap();
        true
    }),
    ("with a temporary table", |s| {
        s.batch_execute("CREATE TEMPORARY TABLE scratch (id INT)").unwrap();
        true
    }),
];

fn id(session: &mut Session) -> i64 {
    session
        .on_writer(|session| sql::<BigInt>("SELECT CONNECTION_ID()").get_result(session))
        .unwrap()
}

#[test]
fn a_session_dropped_in_any_state_leaves_nothing_behind() {
    let stand = Stand::new(1);
    for (state, leave) in STATES {
        let mut session: Pooled = stand.session();
        let must_end = leave(&mut session);
        let id = id(&mut session);
        drop(session);
        if must_end {
            let mut server = stand.kit.superuser(0).unwrap();
            let alive =
                format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id}");
            eventually("its connection is closed", || server.column(&alive).unwrap()[0] == "0");
        }
        stand.assert_clean();
        assert_eq!(stand.stored("leaked"), 0, "{state}");
        let next: &mut Session = &mut stand.session();
        let names: Vec<String> = items::table.select(items::name).load(next).unwrap();
        assert_eq!(names, ["a", "b", "c"], "{state}");
        next.batch_execute("INSERT INTO items (name) VALUES (\"quoted\")").unwrap();
        next.batch_execute("DELETE FROM items WHERE name = 'quoted'").unwrap();
        next.batch_execute("SELECT * FROM scratch").unwrap_err();
    }
}

#[test]
fn a_session_dropped_by_a_panic_leaves_nothing_behind() {
    let stand = Stand::new(1);
    for (state, leave) in STATES {
        let result = std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let mut session = stand.session();
                leave(&mut session);
                std::panic::resume_unwind(Box::new(state));
            });
            panics.join()
        });
        assert!(result.is_err());
        stand.assert_clean();
        assert_eq!(stand.stored("leaked"), 0, "{state}");
    }
    stand.assert_usable();
}

#[test]
fn connections_are_used_again() {
    let stand = Stand::new(2);
    for _ in 0..20 {
        let session: &mut Session = &mut stand.session();
        items::table.count().get_result::<i64>(session).unwrap();
        session.batch_execute("UPDATE items SET name = 'a' WHERE id = 1").unwrap();
    }
    let opened: u64 = [0, 1].iter().map(|index| stand.instance(*index).stats().connects()).sum();
    assert!(opened <= 2, "{opened} connections");
}
