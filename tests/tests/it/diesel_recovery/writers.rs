//! Writers that go while they are written to: no write is lost, none is applied twice, and no
//! error lies.

use std::thread;

use aurora_core::Health;
use aurora_tests::ITEMS;
use aurora_tests::ledger::{LEDGER, Ledger};
use aurora_tests::stand::Stand;
use test_kit::PgCluster;

use super::{Reads, StopOnDrop, THREADS, writes_go_on};

/// With synchronous replication, so that the servers lose nothing they acknowledged.
fn stand() -> Stand {
    started(PgCluster::builder())
}

fn started(servers: test_kit::Builder) -> Stand {
    let stand = Stand::with(servers.instances(3).synchronous(true), "");
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items (name) VALUES ('a'), ('b'), ('c')");
    stand.seed(LEDGER);
    stand
}

/// Half of the threads write, half read, while `faults` happen.
fn under_load(stand: &Stand, ledger: &Ledger, reads: &Reads, faults: impl FnOnce()) {
    thread::scope(|scope| {
        let _stop = StopOnDrop(ledger);
        for number in 0..THREADS / 2 {
            scope.spawn(move || ledger.write(&stand.pool, number));
            scope.spawn(|| reads.run(&stand.pool, ledger));
        }
        writes_go_on(ledger);
        faults();
        writes_go_on(ledger);
        reads.go_on();
    });
}

#[test]
fn a_failover_and_a_switchover_of_aurora_under_load_lose_no_write() {
    let stand = started(PgCluster::builder().aurora(true));
    let (ledger, reads) = (Ledger::default(), Reads::default());
    under_load(&stand, &ledger, &reads, || {
        stand.kit.kill_and_promote(1).unwrap();
        stand.await_writer(1);
        writes_go_on(&ledger);
        stand.kit.rejoin(0).unwrap();
        stand.await_readers(2);
        stand.kit.switchover(2).unwrap();
        stand.await_writer(2);
    });
    reads.assert_none_failed();
    assert!(ledger.most_errors_of_a_thread() <= 2, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
}

#[test]
fn a_writer_that_hangs_under_load_is_left_for_the_new_one() {
    let stand = stand();
    let (ledger, reads) = (Ledger::default(), Reads::default());
    under_load(&stand, &ledger, &reads, || {
        stand.kit.pause(0).unwrap();
        stand.kit.promote(1).unwrap();
        stand.await_writer(1);
        // Also from the threads that waited for an answer of the one that hangs: the kernel of a
        // stopped server goes on acknowledging, so only the verdict ends their wait.
        stand.await_health(0, Health::Lost);
        writes_go_on(&ledger);
        reads.go_on();
    });
    reads.assert_none_failed();
    assert!(ledger.most_errors_of_a_thread() <= 1, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
}

#[test]
fn two_failovers_in_a_row_lose_no_write() {
    let stand = stand();
    let (ledger, reads) = (Ledger::default(), Reads::default());
    under_load(&stand, &ledger, &reads, || {
        stand.kit.kill_and_promote(1).unwrap();
        stand.kit.kill_and_promote(2).unwrap();
        stand.await_writer(2);
    });
    assert!(ledger.most_errors_of_a_thread() <= 2, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
}

#[test]
fn a_writer_that_restarts_stays_the_writer() {
    let stand = stand();
    let (ledger, reads) = (Ledger::default(), Reads::default());
    under_load(&stand, &ledger, &reads, || {
        stand.kit.restart(0).unwrap();
        stand.await_writer(0);
    });
    reads.assert_none_failed();
    assert!(ledger.most_errors_of_a_thread() <= 1, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
}
