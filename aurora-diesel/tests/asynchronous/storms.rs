//! Crowds that want connections at the same moment.

use std::time::Duration;

use aurora_diesel::asynchronous::bb8;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use test_kit::PgCluster;
use tokio::task::JoinSet;

use crate::ledger::LEDGER;
use crate::stand::{LIMIT, Stand, eventually};

/// Connections per second, in these tests.
const RATE: usize = 40;
/// What goes at once on top of that, and the monitor's own.
const SLACK: usize = 8 + 3;
/// What an instance may see of connects that fail.
const FAILED: u64 = 10;

async fn stand() -> Stand {
    let servers = PgCluster::builder().instances(3).behind_proxies();
    let servers = servers.setting("max_connections", "300");
    Stand::of(servers, &format!("connect_rate={RATE}"), LEDGER).await
}

fn assert_few_failed(stand: &Stand) {
    for instance in stand.cluster().topology().instances() {
        let failed = instance.stats().failed_connects();
        assert!(failed <= FAILED, "{failed} to {}", instance.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tasks_resume_after_a_failover_within_the_ramp() {
    let stand = stand().await;
    let pool = bb8::Pool::builder().max_size(200).connection_timeout(3 * LIMIT);
    let pool = pool.build(stand.manager.clone()).await.unwrap();
    stand.kit(|kit| kit.kill(0)).unwrap();
    eventually("the writer is lost", async || stand.cluster().topology().writer().is_none()).await;
    let mut tasks = JoinSet::new();
    for id in 0..1000_i64 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let session = &mut pool.get().await.unwrap();
            // So slow that all 200 want a connection of their own.
            let insert = "INSERT INTO ledger SELECT $1 FROM pg_sleep(0.2)";
            diesel::sql_query(insert).bind::<BigInt, _>(id).execute(session).await
        });
    }
    let waiting = || pool.state().connections - pool.state().idle_connections;
    eventually("all sessions are in use", async || waiting() == 200).await;
    stand.kit.proxy(1).forget_peaks();
    stand.kit(|kit| kit.promote(1)).unwrap();
    for written in tasks.join_all().await {
        assert_eq!(written, Ok(1));
    }
    let peak = stand.kit.proxy(1).stats().most_accepted_in_a_second;
    assert!(peak <= RATE + SLACK, "{peak} connects in a second");
    println!("peak: {peak} connects in a second, of {RATE} allowed");
    let opened = stand.cluster().topology().writer().unwrap().stats().connects();
    println!("opened: {opened}");
    assert!(opened > (RATE + SLACK) as u64, "{opened}: without the limit it would have been more");
    assert_few_failed(&stand);
    assert_eq!(stand.ask(1, "SELECT count(DISTINCT id) FROM ledger"), 1000);
    assert_eq!(stand.ask(1, "SELECT count(*) FROM ledger"), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_under_a_crowd_costs_few_failed_connects() {
    let stand = stand().await;
    let mut tasks = JoinSet::new();
    for _ in 0..150 {
        let mut session = stand.session();
        tasks.spawn(async move {
            let slow = diesel::dsl::sql::<Text>("pg_sleep(0.5)::text || pg_is_in_recovery()");
            session
                .on_writer(async |session| {
                    for _ in 0..8 {
                        let said: String = diesel::select(slow.clone()).get_result(session).await?;
                        assert_eq!(said, "false");
                    }
                    QueryResult::Ok(())
                })
                .await
        });
    }
    eventually("many are connected", async || stand.connections() >= 60).await;
    stand.kit.proxy(1).forget_peaks();
    stand.kit(|kit| kit.kill_and_promote(1)).unwrap();
    for read in tasks.join_all().await {
        assert_eq!(read, Ok(()));
    }
    let peak = stand.kit.proxy(1).stats().most_accepted_in_a_second;
    assert!(peak <= RATE + SLACK, "{peak} connects in a second");
    assert_few_failed(&stand);
}

/// Waiting is bounded, and who gives up leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_gives_up_leaves_no_place_behind() {
    let servers = PgCluster::builder().instances(1).behind_proxies();
    let stand = Stand::of(servers, "connect_rate=1&failover_timeout=3s", LEDGER).await;
    let mut first = stand.session();
    first.batch_execute("SET application_name = 'pinned'").await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let mut session = stand.session();
        tasks.spawn(async move {
            let set = session.batch_execute("SET application_name = 'a'");
            tokio::time::timeout(Duration::from_millis(20), set).await.is_err()
        });
    }
    let gave_up = tasks.join_all().await.into_iter().filter(|gave_up| *gave_up).count();
    assert!(gave_up >= 199, "{gave_up}");
    let mut late = stand.session();
    late.batch_execute("SET application_name = 'late'").await.unwrap();
    let accepted = stand.kit.proxy(0).stats().accepted;
    assert!(accepted <= 6, "{accepted} connects, one a second");
    // Without a turn before the deadline the error says what to do.
    let crowd: Vec<_> = (0..9).map(|_| stand.session()).collect();
    let mut tasks = JoinSet::new();
    for mut session in crowd {
        tasks.spawn(async move {
            let set = session.batch_execute("SET application_name = 'a'").await;
            (session, set)
        });
    }
    let results = tasks.join_all().await;
    let errors: Vec<String> =
        results.iter().filter_map(|(_, set)| set.as_ref().err().map(ToString::to_string)).collect();
    assert!((4..9).contains(&errors.len()), "{errors:?}");
    // One may have got its turn with no time left.
    let told = errors.iter().filter(|error| error.contains("raise connect_rate")).count();
    assert!(told + 1 >= errors.len(), "{errors:?}");
    let health = stand.cluster().topology().writer().map(aurora_core::Instance::health);
    assert_eq!(health, Some(aurora_core::Health::Online), "that is no fault of the instance");
}
