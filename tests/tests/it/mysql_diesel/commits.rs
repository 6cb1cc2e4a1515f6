//! What happens to a COMMIT.

use std::thread;

use aurora_core::Outcome;
use aurora_diesel::{MarkerTable, Resolve, RunOptions};
use aurora_tests::{LIMIT, eventually, items};
use diesel::prelude::*;
use test_kit::MariaDbCluster;
use test_kit::chaos::{Aim, Loss, Mishap};

use super::stand::{Session, Stand};

/// Two instances behind proxies, with the tables of items and of markers.
fn stand() -> Stand {
    let stand = Stand::with(MariaDbCluster::builder().instances(2).behind_proxies(), "");
    stand.cluster.create_marker_table_blocking(&MarkerTable::default()).unwrap();
    stand
}

fn marked() -> RunOptions {
    RunOptions::new().resolve(Resolve::Marker(MarkerTable::default()))
}

fn run(session: &mut Session, options: &RunOptions, name: &str) -> (QueryResult<usize>, u32) {
    let mut runs = 0;
    let done = session.run_transaction_with(options, |session| {
        runs += 1;
        diesel::insert_into(items::table).values(items::name.eq(name)).execute(session)
    });
    (done, runs)
}

#[test]
fn a_marker_tells_what_became_of_a_lost_commit() {
    let stand = stand();
    let session: &mut Session = &mut stand.session();
    for (name, mishap, expected) in [
        ("answer", Mishap::LoseAnswer(Loss::Reset), 1),
        ("request", Mishap::LoseRequest(Loss::Reset), 2),
    ] {
        let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let (done, runs) = run(session, &marked(), name);
        assert!(armed.has_happened(), "{name}");
        assert_eq!((done, runs), (Ok(1), expected), "{name}");
        assert_eq!(stand.stored(name), 1, "{name}");
    }
    stand.assert_usable();
}

/// There are no ids that the server could be asked about: so by default nothing is resolved.
#[test]
fn without_a_marker_a_lost_commit_stays_unknown_and_is_not_run_again() {
    let stand = stand();
    let session: &mut Session = &mut stand.session();
    for options in [RunOptions::new(), RunOptions::new().resolve(Resolve::No)] {
        for (name, mishap, there) in [
            ("answer", Mishap::LoseAnswer(Loss::Reset), 1),
            ("request", Mishap::LoseRequest(Loss::Reset), 0),
        ] {
            let before = stand.stored(name);
            let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
            let (done, runs) = run(session, &options, name);
            assert!(armed.has_happened(), "{name}");
            let error = done.unwrap_err();
            assert_eq!(aurora_diesel::outcome(&error), Outcome::Unknown, "{error}");
            assert_eq!(aurora_diesel::instance(&error), Some(stand.kit.name(0).as_str()));
            assert_eq!((runs, stand.stored(name) - before), (1, there), "{name}");
        }
    }
}

#[test]
fn a_marker_tells_across_a_failover() {
    for (mishap, expected) in
        [(Mishap::LoseAnswer(Loss::Silence), 1), (Mishap::LoseRequest(Loss::Silence), 2)]
    {
        let stand = stand();
        let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let (done, runs) = thread::scope(|scope| {
            let running = scope.spawn(|| run(&mut stand.session(), &marked(), "fault"));
            assert!(armed.wait(LIMIT), "the COMMIT was sent");
            if expected == 1 {
                eventually("it is applied", || stand.stored("fault") == 1);
            }
            stand.kit.kill_and_promote(1).unwrap();
            running.join().unwrap()
        });
        assert_eq!((done, runs), (Ok(1), expected), "{mishap:?}");
        assert_eq!(stand.stored("fault"), 1, "{mishap:?}");
    }
}

#[test]
fn without_their_table_markers_fail_before_anything_is_applied() {
    let stand = stand();
    let session: &mut Session = &mut stand.session();
    let missing = Resolve::Marker(MarkerTable::new("app", "missing"));
    let (done, runs) = run(session, &RunOptions::new().resolve(missing), "missing");
    let error = done.unwrap_err();
    assert_eq!((aurora_diesel::outcome(&error), runs), (Outcome::NotApplied, 1), "{error}");
    assert_eq!(stand.stored("missing"), 0);
    stand.assert_usable();
}
