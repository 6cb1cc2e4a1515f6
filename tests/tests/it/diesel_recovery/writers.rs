//! Writers that go while they are written to: no write is lost, none is applied twice, and no
//! error lies.

use std::thread;
use std::time::{Duration, Instant};

use aurora_core::{Event, Health};
use aurora_diesel::Outcome;
use aurora_tests::ledger::{LEDGER, Ledger};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, LIMIT};
use diesel::connection::SimpleConnection as _;
use diesel::result::{DatabaseErrorKind, Error};
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
fn a_writer_killed_under_load_costs_each_thread_one_honest_error_at_most() {
    let stand = stand();
    let (ledger, reads) = (Ledger::default(), Reads::default());
    under_load(&stand, &ledger, &reads, || {
        stand.kit.kill_and_promote(1).unwrap();
        stand.await_writer(1);
    });
    reads.assert_none_failed();
    assert!(ledger.most_errors_of_a_thread() <= 1, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
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
fn after_a_switchover_is_known_no_write_is_refused_as_read_only() {
    let stand = stand();
    let (ledger, reads) = (Ledger::default(), Reads::default());
    let mut events = stand.cluster.events();
    under_load(&stand, &ledger, &reads, || {
        for to in [1, 2, 0] {
            let id = stand.id(to);
            stand.kit.switchover(to).unwrap();
            aurora_tests::events_until(
                &mut events,
                |event| matches!(event, Event::WriterChanged { to: Some(to), .. } if *to == id),
            );
            stand.await_readers(2);
            writes_go_on(&ledger);
        }
    });
    reads.assert_none_failed();
    let errors = ledger.errors();
    assert!(errors.iter().all(|(.., text)| !text.contains("read-only")), "{errors:#?}");
    assert!(ledger.most_errors_of_a_thread() <= 3, "one for each switchover: {errors:#?}");
    ledger.verify(&stand.kit);
    for index in 0..3 {
        let busy = stand.counting::<3>(|| {
            (0..10).for_each(|_| stand.session().batch_execute("SELECT 1").unwrap());
        });
        assert!(busy[index] > 0 || index == 0, "everyone but the writer reads: {busy:?}");
    }
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

#[test]
fn without_a_writer_a_write_fails_at_the_deadline_and_reads_go_on() {
    let stand = Stand::with(PgCluster::builder().instances(3), "failover_timeout=1s");
    stand.seed(ITEMS);
    let insert = "INSERT INTO items (name) VALUES ('a')";
    stand.session().batch_execute(insert).unwrap();
    stand.kit.kill(0).unwrap();
    stand.await_health(0, Health::Lost);
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let begun = Instant::now();
            let error = stand.session().batch_execute(insert).unwrap_err();
            (error, begun.elapsed())
        });
        while !writing.is_finished() {
            stand.session().batch_execute("SELECT * FROM items").unwrap();
        }
        let (error, elapsed) = writing.join().unwrap();
        let limits = Duration::from_millis(950)..Duration::from_millis(1400);
        assert!(limits.contains(&elapsed), "{elapsed:?}");
        let Error::DatabaseError(kind, _) = &error else { panic!("{error}") };
        assert!(matches!(kind, DatabaseErrorKind::UnableToSendCommand), "{kind:?}");
        assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
        assert_eq!(aurora_diesel::retry(&error), aurora_diesel::Retry::AfterTopologyChange);
        let text = error.to_string();
        assert!((0..3).all(|index| text.contains(&stand.kit.name(index))), "{text}");
    });
    // The session of a failed wait is as good as new.
    let session = &mut stand.session();
    stand.kit.promote(2).unwrap();
    session.batch_execute(insert).unwrap();
}

#[test]
fn writes_that_wait_for_a_writer_go_on_with_the_new_one() {
    let stand = stand();
    stand.kit.kill(0).unwrap();
    stand.await_health(0, Health::Lost);
    let ledger = Ledger::default();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (stand, ledger) = (&stand, &ledger);
            scope.spawn(move || {
                let id = ledger.take_id();
                let insert = format!("INSERT INTO ledger VALUES ({id})");
                ledger.note(id, number, stand.session().batch_execute(&insert));
            });
        }
        stand.kit.promote(1).unwrap();
    });
    assert_eq!(ledger.errors(), [], "they waited");
    assert_eq!(ledger.acknowledged(), THREADS);
    ledger.verify(&stand.kit);
    assert!(LIMIT < stand.cluster.config().failover_timeout());
}
