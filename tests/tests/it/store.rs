//! The physical connections behind the sessions: bounded, and back to where they were.

use aurora_tests::ledger::{LEDGER, ledger};
use aurora_tests::stand::{Stand, pool};
use aurora_tests::{ITEMS, Manager, items};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::PgCluster;

fn stand(instances: usize) -> Stand {
    let stand = Stand::new(instances);
    stand.seed(ITEMS);
    stand.seed(LEDGER);
    stand
}

#[test]
fn the_pool_bounds_the_connections_to_each_instance() {
    let stand = stand(3);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let session = &mut stand.session();
                    let write = diesel::insert_into(ledger::table).values(ledger::id.eq(1));
                    assert_eq!(write.execute(session), Ok(1));
                    assert_eq!(items::table.count().get_result::<i64>(session), Ok(0));
                    drop(stand.pool.try_get());
                }
            });
        }
    });
    for index in 0..3 {
        let mut superuser = stand.kit.superuser(index).unwrap();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora'";
        let open: i64 = superuser.query_one(sql, &[]).unwrap().get(0);
        assert!(open <= 8, "{open} connections to instance {index}");
        let counted = stand.instance(index).stats().connections();
        assert_eq!(i64::try_from(counted).unwrap(), open, "instance {index}");
    }
}

#[test]
fn ten_thousand_checkouts_leave_the_connections_as_they_were() {
    let stand = stand(2);
    let warm = |session: &mut aurora_tests::Session| {
        session.on_writer(|session| session.batch_execute("SELECT 1")).unwrap();
        session.batch_execute("SELECT 1").unwrap();
    };
    warm(&mut stand.session());
    let before = (stand.connections(), stand.connects());
    for round in 0..10_000 {
        let session = &mut stand.session();
        match round % 4 {
            0 => session.on_writer(|session| session.batch_execute("SELECT 1")).unwrap(),
            1 => session.batch_execute("SELECT 1").unwrap(),
            2 => assert!(session.batch_execute("SELECT no_such_column").is_err()),
            _ => {}
        }
    }
    assert_eq!((stand.connections(), stand.connects()), before);
    // What is closed because of its state is not missed.
    for _ in 0..50 {
        stand.session().batch_execute("SET work_mem = '7MB'").unwrap();
    }
    warm(&mut stand.session());
    assert_eq!(stand.connections(), before.0);
}

#[test]
fn connections_are_not_kept_beyond_what_is_configured() {
    let servers = PgCluster::builder().instances(2);
    let stand = Stand::with(servers, "max_idle_per_instance=0");
    for _ in 0..5 {
        stand.session().batch_execute("SELECT 1").unwrap();
        assert_eq!(stand.connections(), 0);
    }
    assert_eq!(stand.connects(), 5);
}

#[test]
fn connections_grow_old_and_are_swept_out_while_nobody_uses_them() {
    let servers = PgCluster::builder().instances(2);
    let stand = Stand::with(servers, "idle_timeout=500ms");
    stand.session().batch_execute("SELECT 1").unwrap();
    assert_eq!(stand.connections(), 1);
    aurora_tests::eventually("it is swept out", || stand.connections() == 0);
}

#[test]
fn the_connections_of_a_pool_end_with_it() {
    let stand = stand(2);
    let other = pool(&Manager::new(stand.cluster.clone()), 2);
    other.get().unwrap().batch_execute("SELECT 1").unwrap();
    assert_eq!(stand.connections(), 1);
    drop(other);
    aurora_tests::eventually("they are closed", || stand.connections() == 0);
}
