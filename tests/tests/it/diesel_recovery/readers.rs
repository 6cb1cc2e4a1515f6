//! Readers that go while they are read from.

use std::thread;

use aurora_core::Health;
use aurora_tests::ITEMS;
use aurora_tests::ledger::Ledger;
use aurora_tests::stand::Stand;
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

use super::{Reads, StopOnDrop, THREADS};

fn stand(instances: usize) -> Stand {
    let stand = Stand::with(PgCluster::builder().instances(instances), "probe_interval=200ms");
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items (name) VALUES ('a'), ('b'), ('c')");
    stand
}

#[test]
fn no_read_fails_when_a_reader_is_stopped_or_restarted() {
    let stand = stand(3);
    let (reads, ledger) = (Reads::default(), Ledger::default());
    thread::scope(|scope| {
        let _stop = StopOnDrop(&ledger);
        for _ in 0..THREADS {
            scope.spawn(|| reads.run(&stand.pool, &ledger));
        }
        for reader in [1, 2] {
            reads.go_on();
            stand.kit.restart(reader).unwrap();
            stand.await_readers(2);
        }
        reads.go_on();
        stand.kit.remove_reader(2).unwrap();
        reads.go_on();
    });
    reads.assert_none_failed();
}

#[test]
fn a_read_that_replay_cancels_is_run_again_unseen() {
    let servers = PgCluster::builder()
        .instances(2)
        .setting("max_standby_streaming_delay", "0")
        .setting("autovacuum", "off");
    let stand = Stand::with(servers, "");
    stand.seed(ITEMS);
    stand.seed("INSERT INTO items SELECT g, 'a' FROM generate_series(1, 1000) AS g");
    let mut reader = stand.kit.superuser(1).unwrap();
    let mut ask = |sql: &str| reader.query_one(sql, &[]).unwrap().get::<_, bool>(0);
    thread::scope(|scope| {
        let reading = scope
            .spawn(|| stand.session().batch_execute("SELECT count(*) FROM items, pg_sleep(1.5)"));
        aurora_tests::eventually("the read runs on the reader", || {
            ask("SELECT EXISTS (SELECT FROM pg_stat_activity \
                 WHERE wait_event = 'PgSleep' AND application_name = 'aurora')")
        });
        let mut writer = stand.kit.client(0).unwrap();
        writer.batch_execute("DELETE FROM items WHERE id > 10").unwrap();
        writer.batch_execute("VACUUM items").unwrap();
        aurora_tests::eventually("replay cancels it", || {
            ask("SELECT confl_snapshot > 0 FROM pg_stat_database_conflicts WHERE datname = 'app'")
        });
        reading.join().unwrap().unwrap();
    });
    assert!(stand.instance(1).stats().errors() > 0, "it was cancelled");
    assert_eq!(stand.instance(1).health(), Health::Online, "that is no fault of the reader");
}
