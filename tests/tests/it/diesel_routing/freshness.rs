//! A session reads what it wrote, however far behind the readers are.

use std::time::Duration;

use aurora_tests::stand::{Stand, caught_up};
use aurora_tests::{ITEMS, Session, eventually, items};
use diesel::prelude::*;
use test_kit::PgCluster;

const DELAY: Duration = Duration::from_secs(2);

fn insert(session: &mut Session, name: &str) -> i32 {
    let new = diesel::insert_into(items::table).values(items::name.eq(name));
    new.returning(items::id).get_result(session).unwrap()
}

fn exists(session: &mut Session, id: i32) -> bool {
    let row = items::table.find(id).first::<(i32, String)>(session);
    row.optional().unwrap().is_some()
}

#[test]
fn a_session_sees_its_own_writes_through_lagging_readers() {
    let stand = Stand::with(PgCluster::builder().instances(3), "probe_interval=100ms");
    stand.seed(ITEMS);
    for reader in [1, 2] {
        stand.kit.set_replay_delay(reader, DELAY).unwrap();
    }
    let mut last = 0;
    for round in 0..200 {
        let session = &mut stand.session();
        last = insert(session, "mine");
        assert!(exists(session, last), "round {round}");
    }
    // In a transaction that has committed, and one that rolled back to a savepoint, too.
    let session = &mut stand.session();
    let id = session.transaction(|session| QueryResult::Ok(insert(session, "b"))).unwrap();
    assert!(exists(session, id));
    // The check can fail: the readers do not have it yet.
    assert!(!session.on_reader(|session| QueryResult::Ok(exists(session, id))).unwrap());
    assert!(!exists(&mut stand.session(), last), "another session promises nothing");
    // Once the readers are measured to have it, they serve the session again.
    caught_up(&stand.kit);
    eventually("the readers serve the session", || {
        let [writer, ..] = stand.counting::<3>(|| assert!(exists(session, id)));
        writer == 0
    });
}

#[test]
fn a_session_whose_readers_stand_still_stays_with_the_writer() {
    let stand = Stand::with(PgCluster::builder().instances(2), "probe_interval=50ms");
    stand.seed(ITEMS);
    stand.kit.pause_replay(1).unwrap();
    let session = &mut stand.session();
    let id = insert(session, "a");
    for _ in 0..100 {
        assert!(exists(session, id));
        std::thread::yield_now();
    }
    assert!(!session.on_reader(|session| QueryResult::Ok(exists(session, id))).unwrap());
    stand.kit.resume_replay(1).unwrap();
    eventually("the reader serves the session", || {
        stand.counting(|| assert!(exists(session, id))) == [0, 1]
    });
}
