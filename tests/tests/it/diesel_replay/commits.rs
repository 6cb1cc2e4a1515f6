//! What happens to a COMMIT.

use std::process::Command;
use std::thread;

use aurora_diesel::{Outcome, Resolve, RunOptions, outcome};
use aurora_tests::stand::Stand;
use aurora_tests::{LIMIT, Session, eventually};
use diesel::prelude::*;
use test_kit::chaos::{Aim, Loss, Mishap};

use super::{insert, marked, stand, stored};

fn run(session: &mut Session, options: &RunOptions, name: &str) -> (QueryResult<usize>, u32) {
    let mut runs = 0;
    let done = session.run_transaction_with(options, |session| {
        runs += 1;
        insert(session, name)
    });
    (done, runs)
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_to_be_applied() {
    let stand = stand();
    let session = &mut stand.session();
    for (name, options) in [("marker", marked()), ("id", RunOptions::new())] {
        let armed = stand.kit.proxy(0).swallow_commit_reply(Loss::Reset);
        let (done, runs) = run(session, &options, name);
        assert!(armed.has_happened());
        assert_eq!((done, runs), (Ok(1), 1), "{name}");
        assert_eq!(stored(&stand, name), 1, "{name}");
    }
}

#[test]
fn a_commit_that_never_arrived_is_run_again() {
    let stand = stand();
    let session = &mut stand.session();
    for (name, options) in [("marker", marked()), ("id", RunOptions::new())] {
        let armed = stand.kit.proxy(0).arm(Mishap::LoseRequest(Loss::Reset), Aim::Commit);
        let (done, runs) = run(session, &options, name);
        assert!(armed.has_happened());
        assert_eq!((done, runs), (Ok(1), 2), "{name}");
        assert_eq!(stored(&stand, name), 1, "{name}");
    }
}

#[test]
fn a_commit_that_nobody_resolves_stays_unknown() {
    let stand = stand();
    let session = &mut stand.session();
    let options = RunOptions::new().resolve(Resolve::No);
    for (name, mishap, there) in [
        ("answer", Mishap::LoseAnswer(Loss::Reset), 1),
        ("request", Mishap::LoseRequest(Loss::Reset), 0),
    ] {
        let _armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
        let (done, runs) = run(session, &options, name);
        let error = done.unwrap_err();
        assert_eq!((outcome(&error), runs), (Outcome::Unknown, 1), "{error}");
        assert_eq!(aurora_diesel::instance(&error), Some(stand.kit.name(0).as_str()));
        assert_eq!(stored(&stand, name), there);
    }
}

/// Runs a transaction whose COMMIT meets `mishap`, with `fault` under the waiting client.
fn in_a_fault(
    stand: &Stand,
    options: &RunOptions,
    mishap: Mishap,
    fault: impl FnOnce(),
) -> (QueryResult<usize>, u32) {
    let armed = stand.kit.proxy(0).arm(mishap, Aim::Commit);
    thread::scope(|scope| {
        let running = scope.spawn(|| run(&mut stand.session(), options, "fault"));
        assert!(armed.wait(LIMIT), "the COMMIT was sent");
        if matches!(mishap, Mishap::LoseAnswer(_)) {
            eventually("it is applied", || stored(stand, "fault") == 1);
        }
        fault();
        running.join().unwrap()
    })
}

#[test]
fn a_marker_tells_across_a_failover() {
    for (mishap, expected) in
        [(Mishap::LoseAnswer(Loss::Silence), 1), (Mishap::LoseRequest(Loss::Silence), 2)]
    {
        let stand = stand();
        let fault = || stand.kit.kill_and_promote(1).unwrap();
        let (done, runs) = in_a_fault(&stand, &marked(), mishap, fault);
        assert_eq!((done, runs), (Ok(1), expected), "{mishap:?}");
        assert_eq!(stored(&stand, "fault"), 1);
    }
}

#[test]
fn an_id_tells_nothing_across_a_failover_or_a_crash() {
    for crash_only in [false, true] {
        let stand = stand();
        let fault = || {
            if crash_only {
                crash(&stand);
            } else {
                stand.kit.kill_and_promote(1).unwrap();
            }
        };
        let lost = Mishap::LoseAnswer(Loss::Silence);
        let (done, runs) = in_a_fault(&stand, &RunOptions::new(), lost, fault);
        let error = done.unwrap_err();
        assert_eq!((outcome(&error), runs), (Outcome::Unknown, 1), "{error}");
        assert_eq!(stored(&stand, "fault"), 1);
    }
}

/// Has the server crash and recover, which its postmaster survives.
fn crash(stand: &Stand) {
    let mut victim = stand.kit.superuser(0).unwrap();
    let pid: i32 = victim.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    eventually("it is back", || stand.kit.superuser(0).is_ok());
    // The kernel of the server would have ended the connection.
    stand.kit.proxy(0).reset_all();
}

#[test]
fn a_transaction_that_wrote_nothing_leaves_no_marker_and_no_doubt() {
    let stand = stand();
    let session = &mut stand.session();
    for options in [marked(), RunOptions::new(), RunOptions::new().read_only()] {
        // A read-only transaction commits on a reader.
        let proxies = [0, 1].map(|index| stand.kit.proxy(index));
        let armed = proxies.map(|proxy| proxy.swallow_commit_reply(Loss::Reset));
        let mut runs = 0;
        let read: QueryResult<i64> = session.run_transaction_with(&options, |session| {
            runs += 1;
            aurora_tests::items::table.count().get_result(session)
        });
        let lost = armed.iter().filter(|armed| armed.has_happened()).count();
        assert!(lost > 0);
        assert_eq!((read, runs), (Ok(0), 1 + lost), "{options:?}");
        armed.iter().for_each(test_kit::chaos::Armed::disarm);
    }
    let mut writer = stand.kit.client(0).unwrap();
    let own = "SELECT count(*) FROM aurora_transactions WHERE committed";
    assert_eq!(writer.query_one(own, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
fn without_their_table_markers_fail_before_anything_is_applied() {
    let stand = stand();
    let session = &mut stand.session();
    let missing = aurora_diesel::MarkerTable::new("public", "missing");
    let options = RunOptions::new().resolve(Resolve::Marker(missing));
    let (done, runs) = run(session, &options, "missing");
    let error = done.unwrap_err();
    assert_eq!((outcome(&error), runs), (Outcome::NotApplied, 1), "{error}");
    assert_eq!((insert(session, "next"), stored(&stand, "missing")), (Ok(1), 0));
}
