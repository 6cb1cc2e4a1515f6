//! The protocol of markers: of the transaction and its resolver, one wins.

use std::thread;
use std::time::{Duration, Instant};

use aurora_core::session::Place;
use aurora_core::transaction::{Doubt, Evidence, MarkerId, MarkerTable, Resolve, RunOptions};
use aurora_core::{Error, ErrorKind, Outcome, Role};
use aurora_tests::{LIMIT, eventually};
use test_kit::{MariaDbClient, MariaDbCluster};

use super::stand::Stand;

fn stand(instances: usize) -> Stand {
    let stand = Stand::new(instances);
    stand.write("CREATE TABLE items (name VARCHAR(20))");
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    // Once more changes nothing.
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    stand
}

fn doubt(stand: &Stand, id: MarkerId) -> Doubt {
    let place = Place { instance: stand.id(0), epoch: 1, role: Role::Writer };
    let evidence = Evidence::Marker(MarkerTable::default(), id);
    Doubt { evidence, place, sent_at: Instant::now() }
}

fn resolve(stand: &Stand, id: MarkerId, limit: Duration) -> Result<bool, Error> {
    stand.cluster.resolve_blocking(doubt(stand, id), Instant::now() + limit)
}

/// What a transaction runs: it writes an item and its marker.
fn work(stand: &Stand, id: MarkerId) -> String {
    let mark = stand.cluster.mark_sql(&MarkerTable::default(), id);
    format!("BEGIN; INSERT INTO items VALUES ('original'); {mark}")
}

/// A transaction that is still open.
fn open(stand: &Stand, id: MarkerId) -> MariaDbClient {
    let mut original = stand.kit.client(stand.kit.writer()).unwrap();
    original.run(&work(stand, id)).unwrap();
    original
}

/// How many items there are.
fn stored(stand: &Stand) -> String {
    let mut client = stand.kit.client(stand.kit.writer()).unwrap();
    client.column("SELECT COUNT(*) FROM items").unwrap().remove(0)
}

fn await_resolver(stand: &Stand) {
    let mut superuser = stand.kit.superuser(0).unwrap();
    eventually("the resolver waits for the transaction", || {
        let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE INFO LIKE 'INSERT%ON DUPLICATE%' AND TIME_MS > 20";
        superuser.column(sql).unwrap() == ["1"]
    });
}

#[test]
fn a_resolver_waits_for_a_transaction_that_still_runs() {
    let stand = stand(1);
    for end in ["COMMIT", "ROLLBACK"] {
        let id = MarkerId::random().unwrap();
        let mut original = open(&stand, id);
        let found = thread::scope(|scope| {
            let resolving = scope.spawn(|| resolve(&stand, id, LIMIT));
            await_resolver(&stand);
            original.run(end).unwrap();
            resolving.join().unwrap()
        });
        assert_eq!(found.unwrap(), end == "COMMIT");
        // Its own row does not mislead it.
        assert_eq!(resolve(&stand, id, LIMIT).unwrap(), end == "COMMIT");
    }
    assert_eq!(stored(&stand), "1");
}

#[test]
fn a_transaction_whose_resolver_has_won_cannot_commit() {
    let stand = stand(1);
    let id = MarkerId::random().unwrap();
    assert!(!resolve(&stand, id, LIMIT).unwrap());
    let mut original = stand.kit.client(0).unwrap();
    let error = original.run(&work(&stand, id)).unwrap_err();
    assert_eq!(error.mysql_errno(), Some(1062), "{error}");
    original.run("ROLLBACK").unwrap();
    assert_eq!(stored(&stand), "0");
}

#[test]
fn many_resolvers_and_the_transaction_agree() {
    let stand = stand(2);
    for round in 0..20 {
        let id = MarkerId::random().unwrap();
        let mut original = open(&stand, id);
        let found = thread::scope(|scope| {
            let resolving = [0; 4].map(|_| scope.spawn(|| resolve(&stand, id, LIMIT).unwrap()));
            original.run(if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).unwrap();
            resolving.map(|resolver| resolver.join().unwrap())
        });
        assert_eq!(found, [round % 2 == 0; 4]);
    }
    assert_eq!(stored(&stand), "10");
}

#[test]
fn a_transaction_that_outlasts_the_deadline_stays_in_doubt() {
    let stand = stand(1);
    let id = MarkerId::random().unwrap();
    let mut original = open(&stand, id);
    let error = resolve(&stand, id, Duration::from_millis(1500)).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Deadline, Outcome::Unknown), "{error}");
    original.run("COMMIT").unwrap();
    assert!(resolve(&stand, id, LIMIT).unwrap());
}

#[test]
fn what_was_committed_is_found_on_the_new_writer_and_what_was_not_is_not() {
    let stand = stand(3);
    let (committed, open_one) = (MarkerId::random().unwrap(), MarkerId::random().unwrap());
    open(&stand, committed).run("COMMIT").unwrap();
    let _open = open(&stand, open_one);
    stand.kit.kill_and_promote(1).unwrap();
    // Asked at once: the resolver waits for the new writer by itself.
    assert!(resolve(&stand, committed, LIMIT).unwrap());
    assert!(!resolve(&stand, open_one, LIMIT).unwrap());
    stand.await_writer(1);
    assert_eq!(stored(&stand), "1");
}

#[test]
fn while_there_is_no_writer_it_stays_unknown() {
    let stand = stand(2);
    let id = MarkerId::random().unwrap();
    open(&stand, id).run("COMMIT").unwrap();
    stand.kit.pause(0).unwrap();
    let error = resolve(&stand, id, Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    stand.kit.resume(0).unwrap();
    assert!(resolve(&stand, id, LIMIT).unwrap());
}

#[test]
fn a_table_that_can_tell_nothing_is_refused_at_once() {
    let stand = Stand::new(1);
    let missing = resolve(&stand, MarkerId::random().unwrap(), LIMIT).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Statement, "{missing}");
    assert_eq!(missing.outcome(), Outcome::Unknown);
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    stand.write("ALTER TABLE aurora_transactions ENGINE = MyISAM");
    let error = resolve(&stand, MarkerId::random().unwrap(), LIMIT).unwrap_err();
    assert!(error.to_string().contains("InnoDB"), "{error}");
}

#[test]
fn a_table_elsewhere_and_modes_of_sql_make_no_difference() {
    let kit = MariaDbCluster::builder()
        .setting("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE")
        .setting("autocommit", "OFF")
        .setting("transaction_isolation", "SERIALIZABLE")
        .setting("binlog_format", "STATEMENT");
    let stand = Stand::with(kit, "");
    let table = MarkerTable::new("app", "odd `\"\\' name");
    stand.cluster.create_marker_table_blocking(&table).unwrap();
    let id = MarkerId::random().unwrap();
    let mark = stand.cluster.mark_sql(&table, id);
    stand.write(&format!("BEGIN; {mark}; COMMIT"));
    let place = Place { instance: stand.id(0), epoch: 1, role: Role::Writer };
    let ask = |id| {
        let (evidence, place) = (Evidence::Marker(table.clone(), id), place.clone());
        let doubt = Doubt { evidence, place, sent_at: Instant::now() };
        stand.cluster.resolve_blocking(doubt, Instant::now() + LIMIT)
    };
    assert!(ask(id).unwrap());
    let other = MarkerId::random().unwrap();
    assert!(!ask(other).unwrap());
    // It was written for good, although nothing is without a COMMIT here.
    assert!(!ask(other).unwrap());
}

#[test]
fn old_markers_are_pruned_in_the_background() {
    let stand = stand(1);
    let mut writer = stand.kit.client(0).unwrap();
    writer
        .run(
            "INSERT INTO aurora_transactions (id, committed, at) \
             SELECT UNHEX(MD5(seq)), 1, NOW() - INTERVAL 16 MINUTE FROM seq_1_to_2500; \
             INSERT INTO aurora_transactions (id, committed, at) VALUES \
             (UNHEX(MD5('day')), 0, NOW() - INTERVAL 1 DAY), (UNHEX(MD5('now')), 1, NOW())",
        )
        .unwrap();
    stand.cluster.note_marker(&MarkerTable::default());
    eventually("only the young one is left", || {
        let left = writer.column("SELECT id = UNHEX(MD5('now')) FROM aurora_transactions");
        left.unwrap() == ["1"]
    });
}

#[test]
fn without_markers_nothing_is_resolved() {
    let stand = Stand::new(1);
    let options = RunOptions::new();
    assert_eq!(stand.cluster.resolving(&options), &Resolve::No, "MySQL has no ids to ask about");
    let marked = RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()));
    assert_eq!(stand.cluster.resolving(&marked), marked.resolving());
    let nothing = Doubt { evidence: Evidence::None, ..doubt(&stand, MarkerId::random().unwrap()) };
    let error = stand.cluster.resolve_blocking(nothing, Instant::now() + LIMIT).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(error.to_string().contains("Resolve::Marker"), "{error}");
}
