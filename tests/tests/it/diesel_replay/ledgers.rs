//! Proof, under failovers and lost answers, that what is reported is true.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aurora_diesel::{MarkerTable, Outcome, RunOptions};
use aurora_tests::ledger::{LEDGER, Ledger, ledger};
use aurora_tests::stand::Stand;
use aurora_tests::{LIMIT, eventually};
use diesel::prelude::*;
use test_kit::PgCluster;
use test_kit::chaos::{Aim, Loss, Mishap};

use super::marked;

/// How many threads make load.
const THREADS: usize = 6;

/// Stops the load also when the test fails in the middle of it.
struct StopOnDrop<'a>(&'a Ledger);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn write(stand: &Stand, ledger: &Ledger, options: &RunOptions, thread: usize) {
    while !ledger.is_stopped() {
        let id = ledger.take_id();
        let session = &mut stand.session();
        let result = session.run_transaction_with(options, |session| {
            let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
            written.execute(session).map(|_| ())
        });
        ledger.note(id, thread, result);
    }
}

/// Loses the answer of one COMMIT, or the COMMIT itself, under load.
fn lose_a_commit(stand: &Stand, ledger: &Ledger, mishap: Mishap) {
    let armed = stand.kit.proxy(stand.kit.writer()).arm(mishap, Aim::Commit);
    assert!(armed.wait(LIMIT), "some COMMIT was lost");
    goes_on(ledger);
}

#[track_caller]
fn goes_on(ledger: &Ledger) {
    let goal = ledger.acknowledged() + 10 * THREADS;
    eventually("transactions go on", || ledger.acknowledged() > goal);
}

/// How many outcomes were unknown.
fn under_faults(options: &RunOptions) -> usize {
    let servers = PgCluster::builder().instances(3).synchronous(true).behind_proxies();
    let stand = Stand::with(servers, "");
    stand.seed(LEDGER);
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    let (ledger, threads) = (Ledger::default(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _stop = StopOnDrop(&ledger);
        for _ in 0..THREADS {
            scope.spawn(|| {
                let thread = threads.fetch_add(1, Ordering::Relaxed);
                write(&stand, &ledger, options, thread);
            });
        }
        goes_on(&ledger);
        for round in 0..2 {
            lose_a_commit(&stand, &ledger, Mishap::LoseAnswer(Loss::Reset));
            lose_a_commit(&stand, &ledger, Mishap::LoseRequest(Loss::Reset));
            let [old, new] = if round == 0 { [0, 1] } else { [1, 0] };
            stand.kit.kill_and_promote(new).unwrap();
            goes_on(&ledger);
            stand.kit.rejoin(old).unwrap();
            stand.await_readers(2);
            goes_on(&ledger);
            stand.kit.switchover(2).unwrap();
            goes_on(&ledger);
            stand.kit.switchover(new).unwrap();
            goes_on(&ledger);
        }
    });
    ledger.verify(&stand.kit);
    let errors = ledger.errors();
    println!("{} committed, errors: {errors:#?}", ledger.acknowledged());
    assert!(errors.iter().all(|(_, outcome, _)| *outcome == Outcome::Unknown), "{errors:#?}");
    errors.len()
}

#[test]
fn with_markers_every_transaction_is_applied_once_and_nothing_stays_unknown() {
    assert_eq!(under_faults(&marked()), 0);
}

#[test]
fn with_ids_nothing_is_applied_twice_or_lost_and_unknown_is_the_only_error() {
    // Six faults kill the writer or take its role, each under at most one COMMIT of a thread.
    let unknown = under_faults(&RunOptions::new());
    assert!(unknown <= 6 * THREADS, "{unknown}");
}
