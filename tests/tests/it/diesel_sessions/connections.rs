//! Physical connections: shared, warm, bounded, prepared.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aurora_tests::stand::{Stand, pool};
use aurora_tests::{LIMIT, Manager, items};
use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{count, insert, stand};

#[test]
fn connections_are_used_again_with_their_prepared_statements() {
    let stand = stand(3);
    for id in 0..1000 {
        let session = &mut stand.session();
        let row = items::table.find(id % 3 + 1).first::<(i32, String)>(session);
        assert!(row.is_ok());
    }
    assert!(stand.connects() <= 3, "{} connections for one session", stand.connects());
    let session = &mut stand.session();
    let prepared = diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM pg_prepared_statements)");
    let prepared: i64 = diesel::select(prepared).get_result(session).unwrap();
    assert!((1..10).contains(&prepared), "{prepared} prepared statements");
}

#[test]
fn every_new_connection_is_prepared_once() {
    let Stand { cluster, kit, .. } = stand(3);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let manager = Manager::with_on_connect(cluster, move |connection| {
        counted.fetch_add(1, Ordering::Relaxed);
        connection.batch_execute("SET application_name = 'prepared'")
    });
    let pool = pool(&manager, 4);
    for _ in 0..20 {
        let session = &mut pool.get().unwrap();
        let name = diesel::dsl::sql::<Text>("current_setting('application_name')");
        let name: String = diesel::select(name).get_result(session).unwrap();
        assert_eq!(name, "prepared");
        session.on_writer(|session| session.batch_execute("SELECT 1")).unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 3, "one per instance");
    // It is no session state: a new connection has it too, after the old one is gone.
    let mut superuser = kit.superuser(0).unwrap();
    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
               WHERE application_name = 'prepared'";
    assert_eq!(superuser.query_one(end, &[]).unwrap().get::<_, i64>(0), 1);
    let session = &mut pool.get().unwrap();
    session.on_writer(|session| session.batch_execute("SELECT 1")).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[test]
fn an_on_connect_that_fails_is_told_and_not_repeated_for_ever() {
    let servers = test_kit::PgCluster::builder().instances(2);
    let stand = Stand::with(servers, "failover_timeout=500ms");
    let mut events = stand.cluster.events();
    let manager = Manager::with_on_connect(stand.cluster, |connection| {
        connection.batch_execute("SELECT no_such_column")
    });
    let begun = std::time::Instant::now();
    let error = manager.session().batch_execute("SELECT 1").unwrap_err();
    assert!(begun.elapsed() < LIMIT / 4, "{:?}", begun.elapsed());
    assert!(error.to_string().contains("no_such_column"), "{error}");
    assert_eq!(aurora_diesel::outcome(&error), aurora_diesel::Outcome::NotApplied);
    assert_eq!(events.try_next(), None, "that is no fault of the instances");
}

#[test]
fn instrumentation_sees_the_queries_on_every_connection_of_its_session_only() {
    let stand = stand(2);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let mut other = stand.session();
    {
        let session = &mut stand.session();
        session.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            log.lock().unwrap().push(format!("{event:?}"));
        });
        assert_eq!(count(session, "a"), 1);
        session.transaction(|session| insert(session, "seen")).unwrap();
    }
    let text = std::mem::take(&mut *seen.lock().unwrap()).join("\n");
    for word in
        ["StartQuery", "FinishQuery", "SELECT", "INSERT", "BeginTransaction", "CommitTransaction"]
    {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    // Another session that gets the same connections is not seen.
    let connects = stand.connects();
    assert_eq!(count(&mut other, "a"), 1);
    assert_eq!(stand.connects(), connects, "the connection is the same");
    assert_eq!(seen.lock().unwrap().len(), 0);
}
