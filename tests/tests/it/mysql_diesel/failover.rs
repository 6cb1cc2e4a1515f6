//! Writers that go while they are written to: no write is lost or applied twice, and no error lies.

use std::thread;

use aurora_core::{Health, Outcome};
use aurora_tests::ledger::{Ledger, ledger};
use aurora_tests::{eventually, items};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::stand::{Session, Stand};

/// Four threads that write, and two that read, while `happens`; no read may fail.
fn under_load(stand: &Stand, most_errors: usize, happens: impl FnOnce(&dyn Fn())) {
    let book = &Ledger::default();
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                while !book.is_stopped() {
                    let id = book.take_id();
                    let session: &mut Session = &mut stand.session();
                    let new = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
                    book.note(id, thread, new.execute(session).map(drop));
                }
            });
        }
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let mut failed = Vec::new();
                    while !book.is_stopped() {
                        let names: QueryResult<Vec<String>> =
                            items::table.select(items::name).load(&mut *stand.session());
                        failed.extend(names.err());
                    }
                    failed
                })
            })
            .collect();
        let goes_on = || {
            let before = book.acknowledged();
            eventually("writes get through", || book.acknowledged() > before + 30);
        };
        goes_on();
        happens(&goes_on);
        goes_on();
        book.stop();
        for reader in readers {
            assert!(reader.join().unwrap().is_empty(), "a read failed");
        }
    });
    let errors = book.errors();
    assert!(errors.iter().all(|(.., text)| !text.contains("read-only")), "{errors:#?}");
    assert!(book.most_errors_of_a_thread() <= most_errors, "{errors:#?}");
    let mut writer = stand.kit.superuser(stand.kit.writer()).unwrap();
    let rows = writer.column("SELECT id FROM ledger").unwrap();
    book.verify_rows(rows.iter().map(|id| id.parse().unwrap()));
    stand.assert_usable();
    stand.assert_clean();
}

#[test]
fn a_crash_costs_each_thread_one_honest_error_at_most() {
    let stand = Stand::new(3);
    under_load(&stand, 1, |goes_on| {
        stand.kit.kill_and_promote(1).unwrap();
        stand.await_writer(1);
        goes_on();
        stand.kit.rejoin(0).unwrap();
        stand.await_readers(2);
    });
}

#[test]
fn a_switchover_refuses_no_write_once_it_is_known() {
    let stand = Stand::new(3);
    under_load(&stand, 2, |goes_on| {
        for to in [1, 2] {
            stand.kit.switchover(to).unwrap();
            stand.await_writer(to);
            stand.await_readers(2);
            goes_on();
        }
    });
}

#[test]
fn statements_on_a_writer_that_hangs_are_ended_and_writes_go_on_elsewhere() {
    let stand = Stand::with(test_kit::MariaDbCluster::builder().instances(2), "detection_time=1s");
    let book = Ledger::default();
    let write = |session: &mut Session| {
        let id = book.take_id();
        let new = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
        let result = new.execute(session).map(drop);
        let failed = result.as_ref().err().map(aurora_diesel::outcome);
        book.note(id, 0, result);
        failed
    };
    let session: &mut Session = &mut stand.session();
    assert_eq!(write(session), None);
    stand.kit.pause(0).unwrap();
    // Its kernel acknowledges: nothing but the library ends this.
    assert_eq!(write(session), Some(Outcome::Unknown));
    stand.await_health(0, Health::Lost);
    stand.kit.promote(1).unwrap();
    assert_eq!(write(session), None);
    stand.kit.resume(0).unwrap();
    stand.kit.rejoin(0).unwrap();
    stand.await_readers(1);
    assert_eq!(write(session), None);
    let rows = stand.kit.superuser(1).unwrap().column("SELECT id FROM ledger").unwrap();
    book.verify_rows(rows.iter().map(|id| id.parse().unwrap()));
    stand.assert_clean();
}

#[test]
fn a_read_in_flight_is_run_again_when_its_reader_dies() {
    let stand = Stand::new(3);
    let other = stand.id(2);
    stand.cluster.instance(other.clone()).take_offline().unwrap();
    let slow = format!(
        "SELECT CAST(SUM(SLEEP(IF(@@server_id = {}, 60, 0))) AS SIGNED) FROM (SELECT 1) AS one",
        stand.kit.address(1).0.to_string().rsplit('.').next().unwrap()
    );
    let answer = thread::scope(|scope| {
        let read = scope.spawn(|| sql::<BigInt>(&slow).get_result::<i64>(&mut *stand.session()));
        let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                       WHERE USER = 'app' AND INFO LIKE '%SLEEP(IF%'";
        let mut reader = stand.kit.superuser(1).unwrap();
        eventually("it runs", || reader.column(running).unwrap()[0] == "1");
        drop(reader);
        stand.cluster.instance(other).bring_online().unwrap();
        stand.kit.kill(1).unwrap();
        read.join().unwrap()
    });
    assert_eq!(answer, Ok(0));
    stand.assert_usable();
}
