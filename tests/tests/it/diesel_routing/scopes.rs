//! What the user asks for: hints, scopes, promises of freshness.

use std::time::Duration;

use aurora_diesel::Freshness;
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::PgCluster;

const COUNT: &str = "SELECT count(*) FROM items";

#[test]
fn hints_and_scopes_move_a_read() {
    let stand = Stand::new(2);
    stand.seed(ITEMS);
    let hint = |hint: &str| {
        let sql = format!("{hint} {COUNT}");
        stand.counting(|| stand.session().batch_execute(&sql).unwrap())
    };
    assert_eq!(hint(""), [0, 1]);
    assert_eq!(hint("/*@writer*/"), [1, 0]);
    assert_eq!(hint("/* @Writer */"), [1, 0]);
    assert_eq!(hint("/*@reader*/"), [0, 1]);
    let scoped = stand.counting(|| {
        let session = &mut stand.session();
        session.on_writer(|session| session.batch_execute(COUNT)).unwrap();
        // The scope has ended.
        session.batch_execute(COUNT).unwrap();
    });
    assert_eq!(scoped, [1, 1]);
    let nested = stand.counting(|| {
        let session = &mut stand.session();
        let inner = session.on_writer(|session| {
            session.on_reader(|session| session.batch_execute(COUNT))?;
            session.batch_execute(COUNT)
        });
        inner.unwrap();
    });
    assert_eq!(nested, [1, 1]);
}

#[test]
fn a_scope_of_reads_does_not_carry_writes_to_a_reader() {
    let stand = Stand::new(2);
    stand.seed(ITEMS);
    let places = stand.counting(|| {
        let insert = |session: &mut aurora_tests::Session| {
            diesel::insert_into(items::table).values(items::name.eq("a")).execute(session)
        };
        assert_eq!(stand.session().on_reader(insert).unwrap(), 1);
    });
    assert_eq!(places, [1, 0]);
}

#[test]
fn a_scope_ends_with_an_error_too() {
    let stand = Stand::new(2);
    let session = &mut stand.session();
    let failed = session.on_writer(|session| session.batch_execute("SELECT 1 / 0"));
    assert!(failed.is_err());
    assert_eq!(stand.counting(|| session.batch_execute("SELECT 1").unwrap()), [0, 1]);
}

#[test]
fn promises_of_freshness_are_kept() {
    let stand = Stand::with(PgCluster::builder().instances(2), "probe_interval=50ms");
    stand.seed(ITEMS);
    let session = &mut stand.session();
    let mut place = |freshness: Option<Freshness>| {
        if let Some(freshness) = freshness {
            session.set_freshness(freshness);
        }
        stand.counting(|| session.batch_execute(COUNT).unwrap())
    };
    assert_eq!(place(Some(Freshness::Strong)), [1, 0]);
    assert_eq!(place(Some(Freshness::Eventual)), [0, 1]);
    let minute = Freshness::Bounded(Duration::from_secs(60));
    aurora_tests::eventually("the reader is measured", || {
        stand.instance(1).fresh_as_of().is_some()
    });
    assert_eq!(place(Some(minute)), [0, 1]);
    stand.kit.set_replay_delay(1, Duration::from_secs(60)).unwrap();
    let bound = Freshness::Bounded(Duration::from_millis(500));
    aurora_tests::eventually("the reader falls behind", || {
        stand
            .kit
            .client(0)
            .unwrap()
            .batch_execute("INSERT INTO items (name) VALUES ('a')")
            .unwrap();
        place(Some(bound)) == [1, 0]
    });
    assert_eq!(place(Some(Freshness::Eventual)), [0, 1]);
    let status = stand.cluster.status();
    assert!(status.reads_without_fresh_reader > 0, "{status:?}");
    // The promise of a session ends with it.
    drop(stand.session());
    assert_eq!(stand.counting(|| stand.session().batch_execute(COUNT).unwrap()), [0, 1]);
}
