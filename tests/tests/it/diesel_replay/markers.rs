//! The protocol of markers: of the transaction and its resolver, one wins.

use std::thread;
use std::time::{Duration, Instant};

use aurora_core::Role;
use aurora_core::session::Place;
use aurora_core::transaction::{Doubt, Evidence, MarkerId, MarkerTable};
use aurora_diesel::Outcome;
use aurora_tests::stand::Stand;
use aurora_tests::{LIMIT, eventually};
use postgres::Client;

use super::stand;

fn doubt(stand: &Stand, id: MarkerId) -> Doubt {
    let place = Place { instance: stand.id(0), epoch: 1, role: Role::Writer };
    let evidence = Evidence::Marker(MarkerTable::default(), id);
    Doubt { evidence, place, sent_at: Instant::now() }
}

/// A transaction that has written an item and its marker, and is still open.
fn open(stand: &Stand, id: MarkerId) -> Client {
    let mut original = stand.kit.client(0).unwrap();
    let mark = MarkerTable::default().mark_sql(id);
    original
        .batch_execute(&format!("BEGIN; INSERT INTO items (name) VALUES ('original'); {mark}"))
        .unwrap();
    original
}

fn await_resolver(stand: &Stand) {
    let mut superuser = stand.kit.superuser(0).unwrap();
    eventually("the resolver waits for the transaction", || {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND query LIKE '%AS marker%')";
        superuser.query_one(sql, &[]).unwrap().get(0)
    });
}

#[test]
fn a_resolver_waits_for_a_transaction_that_still_runs() {
    let stand = stand();
    for end in ["COMMIT", "ROLLBACK"] {
        let id = MarkerId::random().unwrap();
        let mut original = open(&stand, id);
        let resolve = || stand.cluster.resolve_blocking(doubt(&stand, id), Instant::now() + LIMIT);
        let found = thread::scope(|scope| {
            let resolving = scope.spawn(resolve);
            await_resolver(&stand);
            original.batch_execute(end).unwrap();
            resolving.join().unwrap()
        });
        assert_eq!(found.unwrap(), end == "COMMIT");
        // Its own row does not mislead it.
        assert_eq!(resolve().unwrap(), end == "COMMIT");
    }
}

#[test]
fn a_transaction_whose_resolver_has_won_cannot_commit() {
    let stand = stand();
    let id = MarkerId::random().unwrap();
    let until = Instant::now() + LIMIT;
    assert!(!stand.cluster.resolve_blocking(doubt(&stand, id), until).unwrap());
    let mut original = stand.kit.client(0).unwrap();
    let mark = MarkerTable::default().mark_sql(id);
    let late = format!("BEGIN; INSERT INTO items (name) VALUES ('late'); {mark}; COMMIT");
    let error = original.batch_execute(&late).unwrap_err();
    let unique = postgres::error::SqlState::UNIQUE_VIOLATION;
    assert_eq!(error.code(), Some(&unique), "{error}");
    original.batch_execute("ROLLBACK").unwrap();
    assert_eq!(super::stored(&stand, "late"), 0);
}

#[test]
fn many_resolvers_and_the_transaction_agree() {
    let stand = stand();
    for round in 0..20 {
        let id = MarkerId::random().unwrap();
        let mut original = open(&stand, id);
        let until = Instant::now() + LIMIT;
        let found = thread::scope(|scope| {
            let resolve = || stand.cluster.resolve_blocking(doubt(&stand, id), until).unwrap();
            let resolving = [0; 4].map(|_| scope.spawn(resolve));
            original.batch_execute(if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).unwrap();
            resolving.map(|resolver| resolver.join().unwrap())
        });
        assert_eq!(found, [round % 2 == 0; 4]);
    }
}

#[test]
fn a_transaction_that_outlasts_the_deadline_stays_in_doubt() {
    let stand = stand();
    let id = MarkerId::random().unwrap();
    let mut original = open(&stand, id);
    let until = Instant::now() + Duration::from_millis(1500);
    let error = stand.cluster.resolve_blocking(doubt(&stand, id), until).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    original.batch_execute("COMMIT").unwrap();
    let until = Instant::now() + LIMIT;
    assert!(stand.cluster.resolve_blocking(doubt(&stand, id), until).unwrap());
}

#[test]
fn old_markers_are_pruned_in_the_background() {
    let stand = stand();
    let mut writer = stand.kit.client(0).unwrap();
    writer
        .batch_execute(
            "INSERT INTO aurora_transactions VALUES (gen_random_uuid(), true, now() - interval '16 min'), \
             (gen_random_uuid(), false, now() - interval '1 day'), (gen_random_uuid(), true, now())",
        )
        .unwrap();
    stand.cluster.note_marker(&MarkerTable::default());
    eventually("only the young one is left", || {
        let sql = "SELECT count(*) FROM aurora_transactions";
        writer.query_one(sql, &[]).unwrap().get::<_, i64>(0) == 1
    });
}
