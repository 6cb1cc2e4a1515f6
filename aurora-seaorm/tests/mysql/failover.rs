//! Writers that die, that are replaced, and that fall silent.

use std::time::{Duration, Instant};

use aurora_seaorm::{Outcome, outcome};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, ModelTrait, PaginatorTrait, TransactionTrait,
};
use test_kit::MariaDbCluster;

use crate::both::failover::{
    NOTHING_IDLE, a_connect_to_a_writer_that_hangs, statements_on_a_writer_that_hangs,
};
use crate::engine;
use crate::entities::{item, named};
use crate::ledger::Load;
use crate::stand::{LIMIT, Stand, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_is_lost_or_doubled_when_the_writer_is_killed_or_replaced() {
    let stand = Stand::new(3).await;
    let load = Load::start(&stand, &stand.db).await;
    load.goes_on().await;
    stand.verb(|kit| kit.kill_and_promote(1)).await;
    stand.await_writer(1).await;
    load.goes_on().await;
    // Reads go to it as soon as it is back, and find all that the load has seen.
    stand.verb(|kit| kit.rejoin(0)).await;
    eventually("it serves reads again", || stand.cluster.topology().readers().len() == 2).await;
    load.goes_on().await;
    stand.verb(|kit| kit.switchover(2)).await;
    stand.await_writer(2).await;
    load.goes_on().await;
    load.verify(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_on_a_writer_that_hangs_fail_in_time() {
    statements_on_a_writer_that_hangs(&Stand::new(3).await, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_to_a_writer_that_hangs_is_given_up_for_the_next_one() {
    let stand = Stand::with(engine::servers(3), NOTHING_IDLE).await;
    a_connect_to_a_writer_that_hangs(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_on_a_reader_that_dies_is_run_again_unseen() {
    let stand = Stand::new(3).await;
    let db = stand.db.on_reader();
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let end = Instant::now() + Duration::from_secs(2);
                while Instant::now() < end {
                    item::Entity::find().count(&db).await.unwrap();
                }
            })
        })
        .collect();
    stand.verb(|kit| kit.kill(1)).await;
    for read in reads {
        read.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_on_a_writer_that_dies_fails_until_it_is_rolled_back() {
    let stand = Stand::new(2).await;
    let txn = stand.db.begin().await.unwrap();
    let lost = named("lost").insert(&txn).await.unwrap();
    stand.verb(|kit| kit.kill_and_promote(1)).await;
    let error = named("late").insert(&txn).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    let error = lost.delete(&txn).await.unwrap_err();
    assert_eq!(outcome(&error), Outcome::NotApplied, "{error}");
    txn.rollback().await.unwrap();
    named("after").insert(&stand.db).await.unwrap();
    assert_eq!(item::Entity::find().count(&stand.db.on_writer()).await.unwrap(), 1);
}

/// The library believes the old role for a moment: the monitors ask seldom here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_an_unforeseen_reader_refuses_is_run_on_the_new_writer() {
    let servers = MariaDbCluster::builder().instances(2);
    let stand = Stand::with(servers, "probe_interval=30s&detection_time=60s").await;
    stand.db.execute_unprepared("INSERT INTO items (name) VALUES ('warm')").await.unwrap();
    // Its sessions stay open, and are refused from now on.
    stand.verb(|kit| kit.superuser(0)?.run("SET GLOBAL read_only = ON")).await;
    let db = stand.db.clone();
    let write = tokio::spawn(async move {
        db.execute_unprepared("INSERT INTO items (name) VALUES ('once')").await
    });
    eventually("the refusal is noticed", || stand.cluster.topology().writer().is_none()).await;
    stand.verb(|kit| kit.superuser(0)?.run("SET GLOBAL read_only = OFF")).await;
    write.await.unwrap().unwrap();
    assert_eq!(stand.ask(0, "SELECT COUNT(*) FROM items").await, "2");
}
