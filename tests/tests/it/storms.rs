//! Crowds of threads that want connections at the same moment, and servers that have none left.

use aurora_core::Health;
use aurora_tests::ledger::{LEDGER, ledger};
use aurora_tests::stand::{Stand, pool};
use aurora_tests::{Manager, Sessions, eventually};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use postgres::Client;
use test_kit::PgCluster;

/// Connections per second, in these tests.
const RATE: usize = 40;
/// What goes at once on top of that, and the monitor's own.
const SLACK: usize = 8 + 3;
/// How many connects in a second a server may see that has no slot left: the pauses between tries
/// are 100 ms, 200 ms and so on, and the monitor may try as well.
const TRIES: usize = 8;

fn stand(builder: test_kit::Builder, options: &str) -> Stand {
    let stand = Stand::with(builder.behind_proxies(), options);
    stand.seed(LEDGER);
    stand
}

/// Servers with twelve slots, one of which is the monitor's.
fn small(instances: usize, options: &str) -> Stand {
    let stand = stand(PgCluster::builder().instances(instances), options);
    let mut superuser = stand.kit.superuser(0).unwrap();
    superuser.batch_execute("ALTER ROLE app CONNECTION LIMIT 12").unwrap();
    aurora_tests::stand::caught_up(&stand.kit);
    stand
}

/// A write so slow that every thread wants a connection of its own.
fn write_slowly(pool: &Sessions, id: i64) -> QueryResult<usize> {
    let insert = diesel::sql_query("INSERT INTO ledger SELECT $1 FROM pg_sleep(0.2)");
    insert.bind::<diesel::sql_types::BigInt, _>(id).execute(&mut pool.get().unwrap())
}

fn write(pool: &Sessions, id: i64) -> QueryResult<usize> {
    let session = &mut pool.get().unwrap();
    diesel::insert_into(ledger::table).values(ledger::id.eq(id)).execute(session)
}

/// Takes every slot of the instance that is left for applications.
fn fill(stand: &Stand, index: usize) -> Vec<Client> {
    let taken: Vec<_> = std::iter::from_fn(|| stand.kit.client(index).ok()).take(100).collect();
    assert!(taken.len() < 100, "it is full");
    taken
}

#[test]
fn threads_that_wait_for_a_writer_resume_within_the_ramp() {
    let servers = PgCluster::builder().instances(3).setting("max_connections", "200");
    let stand = stand(servers, &format!("connect_rate={RATE}"));
    let pool = &pool(&Manager::new(stand.cluster.clone()), 150);
    stand.kit.kill(0).unwrap();
    eventually("the writer is lost", || stand.cluster.topology().writer().is_none());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..150)
            .map(|thread| {
                scope.spawn(move || {
                    (0..4).map(|n| write_slowly(pool, thread * 4 + n)).collect::<Vec<_>>()
                })
            })
            .collect();
        eventually("all wait", || pool.state().connections - pool.state().idle_connections == 150);
        stand.kit.proxy(1).forget_peaks();
        stand.kit.promote(1).unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), [(); 4].map(|()| Ok(1)));
        }
    });
    let peak = stand.kit.proxy(1).stats().most_accepted_in_a_second;
    let opened = stand.instance(1).stats().connects();
    println!("peak: {peak} connects in a second, of {RATE} allowed; opened: {opened}");
    assert!(opened > (RATE + SLACK) as u64, "{opened}: without the limit it would have been more");
    assert!(peak <= RATE + SLACK, "{peak} connects in a second");
    for instance in stand.cluster.topology().instances() {
        assert!(instance.stats().failed_connects() <= 10, "{instance:?}");
    }
    let mut writer = stand.kit.superuser(1).unwrap();
    let row = writer.query_one("SELECT count(*), count(DISTINCT id) FROM ledger", &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (600, 600));
}

#[test]
fn a_crowd_shares_the_slots_that_a_server_has_left() {
    let stand = small(2, "");
    let pool = &pool(&Manager::new(stand.cluster.clone()), 40);
    stand.kit.proxy(0).forget_peaks();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|thread| {
                scope.spawn(move || (0..5).map(|n| write(pool, thread * 5 + n)).collect::<Vec<_>>())
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), [(); 5].map(|()| Ok(1)));
        }
    });
    assert_eq!(stand.instance(0).health(), Health::Online);
    let peak = stand.kit.proxy(0).stats().most_accepted_in_a_second;
    println!("peak: {peak} connects in a second with 11 slots for 40 threads");
    assert!(peak <= 2 * 8 + TRIES, "{peak} connects in a second");
}

#[test]
fn a_writer_without_a_slot_makes_writes_wait_and_then_says_so() {
    let stand = small(2, "failover_timeout=2s");
    let mut events = stand.cluster.events();
    let taken = fill(&stand, 0);
    stand.kit.proxy(0).forget_peaks();
    let pool = &pool(&Manager::new(stand.cluster.clone()), 100);
    let errors: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..100).map(|id| scope.spawn(move || write(pool, id).unwrap_err())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().to_string()).collect()
    });
    for error in &errors {
        for word in ["too many", &stand.kit.name(0)] {
            assert!(error.contains(word), "`{word}` is missing in: {error}");
        }
    }
    assert!(errors.iter().any(|error| error.contains("max_connections")), "{errors:?}");
    let peak = stand.kit.proxy(0).stats().most_accepted_in_a_second;
    println!("peak: {peak} tries in a second by 100 threads");
    assert!(peak <= TRIES + 8, "{peak} connects in a second");
    // It was full, not dead: nothing happened to the topology.
    let all: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(all.is_empty(), "{all:?}");
    drop(taken);
    assert_eq!(write(pool, 1000), Ok(1), "it is used again");
}

#[test]
fn a_writer_that_has_a_slot_again_is_used_before_the_deadline() {
    let stand = small(2, "");
    let taken = fill(&stand, 0);
    let pool = &stand.pool;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|id| scope.spawn(move || write(pool, id))).collect();
        eventually("somebody was refused", || stand.instance(0).stats().failed_connects() > 0);
        drop(taken);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(1));
        }
    });
}

#[test]
fn reads_of_a_crowd_go_to_the_reader_that_has_slots() {
    let stand = small(3, "failover_timeout=10s");
    let taken = fill(&stand, 1);
    let pool = &pool(&Manager::new(stand.cluster.clone()), 40);
    stand.kit.proxy(1).forget_peaks();
    let reads = || {
        std::thread::scope(|scope| {
            let read = || (0..10).try_for_each(|_| pool.get().unwrap().batch_execute("SELECT 1"));
            let threads: Vec<_> = (0..40).map(|_| scope.spawn(read)).collect();
            threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Ok(())));
        });
    };
    let places = stand.counting::<3>(reads);
    assert_eq!((places[0], places[1], places[2]), (0, 0, 400));
    let peak = stand.kit.proxy(1).stats().most_accepted_in_a_second;
    println!("peak: {peak} tries in a second at the full reader");
    assert!(peak <= TRIES + 8, "{peak} connects in a second");
    assert_eq!(stand.instance(1).health(), Health::Online);
    drop(taken);
    eventually("it is used again", || {
        let [_, reads, _] = stand.counting::<3>(|| {
            stand.session().batch_execute("SELECT 1").unwrap();
        });
        reads > 0
    });
}
