//! Idle connections that break behind the pool's back.

use aurora_core::Freshness;
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, Session, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::PgCluster;

fn stand() -> Stand {
    let stand = Stand::with(PgCluster::builder().instances(3), "");
    stand.seed(ITEMS);
    stand
}

fn insert(session: &mut Session) -> QueryResult<usize> {
    diesel::insert_into(items::table).values(items::name.eq("a")).execute(session)
}

/// Opens connections to all instances and leaves them idle.
fn warm(stand: &Stand) {
    let mut sessions: Vec<_> = (0..4).map(|_| stand.session()).collect();
    for session in &mut sessions {
        session.on_writer(|session| session.batch_execute("SELECT 1")).unwrap();
    }
    for session in &mut sessions {
        session.batch_execute("SELECT 1").unwrap();
    }
}

#[test]
fn connections_from_before_a_restart_are_not_handed_out() {
    let stand = stand();
    for index in 0..3 {
        warm(&stand);
        let epoch = stand.instance(index).epoch();
        stand.kit.restart(index).unwrap();
        aurora_tests::eventually("the restart is noticed", || {
            stand.instance(index).epoch() > epoch
        });
        stand.await_writer(0);
        stand.await_readers(2);
        let errors = stand.cluster.status().instances.iter().map(|i| i.errors).sum::<u64>();
        for _ in 0..20 {
            let session = &mut stand.session();
            assert_eq!(insert(session), Ok(1));
            session.on_reader(|session| session.batch_execute("SELECT 1")).unwrap();
        }
        let now = stand.cluster.status().instances.iter().map(|i| i.errors).sum::<u64>();
        assert_eq!(errors, now, "not even a hidden error");
    }
}

#[test]
fn a_terminated_idle_connection_is_replaced_unseen_by_reads() {
    let stand = stand();
    let session = &mut stand.session();
    for index in 0..3 {
        // The session holds a connection to each of them in turn.
        let on_writer = index == 0;
        let read = |session: &mut Session| {
            if on_writer {
                session.on_writer(|session| session.batch_execute("SELECT 1"))
            } else {
                // Without a promise to keep, its reads go from reader to reader.
                session.with_freshness(Freshness::Eventual, |session| {
                    session.batch_execute("SELECT 1")
                })
            }
        };
        (0..2).for_each(|_| read(session).unwrap());
        let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                   WHERE application_name = 'aurora'";
        let ended: i64 = stand.kit.superuser(index).unwrap().query_one(sql, &[]).unwrap().get(0);
        assert!(ended > 0, "instance {index}");
        (0..4).for_each(|_| read(session).unwrap());
    }
}

#[test]
fn a_write_on_a_terminated_idle_connection_gives_one_honest_error_at_most() {
    let stand = stand();
    stand.seed(aurora_tests::ledger::LEDGER);
    let ledger = aurora_tests::ledger::Ledger::default();
    let session = &mut stand.session();
    for round in 0..4 {
        let mut write = || {
            let id = ledger.take_id();
            let result = session.batch_execute(&format!("INSERT INTO ledger VALUES ({id})"));
            ledger.note(id, round, result);
        };
        write();
        let sql = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                   WHERE application_name = 'aurora'";
        stand.kit.superuser(0).unwrap().batch_execute(sql).unwrap();
        (0..3).for_each(|_| write());
    }
    assert!(ledger.most_errors_of_a_thread() <= 1, "{:#?}", ledger.errors());
    ledger.verify(&stand.kit);
}

#[test]
fn state_that_went_with_its_connection_is_told_once() {
    let stand = stand();
    let session = &mut stand.session();
    session.batch_execute("SET work_mem = '77MB'").unwrap();
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    let error = session.batch_execute("SELECT 1").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("lost"), "{text}");
    assert_eq!(aurora_diesel::outcome(&error), aurora_diesel::Outcome::NotApplied, "{text}");
    session.batch_execute("SELECT 1").unwrap();
    assert_eq!(insert(session), Ok(1));
}
