//! As of when readers are fresh, and how far behind they say they are.

use std::time::{Duration, Instant};

use aurora_core::Need;
use aurora_tests::eventually;

use super::stand::Stand;

/// Whether a read that has to see everything before `since` may go to a reader.
fn may_read(stand: &Stand, since: Instant) -> bool {
    let topology = stand.cluster.topology();
    let need = Need::Read { fresh_as_of: Some(since) };
    let picked = stand.cluster.route(&topology, need).map(|instance| instance.id().clone());
    picked.is_some_and(|picked| picked != stand.id(stand.kit.writer()))
}

#[test]
fn a_reader_is_fresh_when_it_has_replayed_what_was_written() {
    let stand = Stand::new(2);
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    let written = Instant::now();
    eventually("the reader has it", || may_read(&stand, written));
    assert_eq!(stand.instance(1).lag(), Some(Duration::ZERO));
}

#[test]
fn a_reader_that_replays_nothing_is_not_fresh() {
    let stand = Stand::new(2);
    stand.kit.pause_replay(1).unwrap();
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    let written = Instant::now();
    // Two probes of both, asked after the write.
    eventually("both have been asked", || {
        let asked = |index| {
            stand.instance(index).confirmed_at() > Some(written + Duration::from_millis(1000))
        };
        asked(0) && asked(1)
    });
    assert!(!may_read(&stand, written));
    assert_eq!(stand.instance(1).lag(), None, "unknown, which is not zero");
    stand.kit.resume_replay(1).unwrap();
    eventually("the reader has it", || may_read(&stand, written));
}

#[test]
fn after_a_failover_readers_are_fresh_again() {
    let stand = Stand::new(3);
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    // Also before the new writer has written anything.
    let now = Instant::now();
    eventually("the reader has what there is", || may_read(&stand, now));
    stand.write("INSERT INTO t VALUES (1)");
    let written = Instant::now();
    eventually("the reader has it", || may_read(&stand, written));
}
