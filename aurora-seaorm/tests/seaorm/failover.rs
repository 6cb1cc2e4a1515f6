//! Failovers and switchovers under load.

use std::time::{Duration, Instant};

use aurora_seaorm::{ErrorKind, Outcome, cause, instance, outcome};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, PaginatorTrait, TransactionTrait};
use test_kit::PgCluster;

use crate::ledger::Load;
use crate::stand::{Stand, eventually, item, named};

async fn three() -> Stand {
    Stand::with(PgCluster::builder().instances(3), "").await
}

/// Waits until that many writes more are acknowledged, and some reads more.
async fn goes_on(load: &Load) {
    let (writes, reads) = (load.ledger.acknowledged(), load.ledger.reads());
    eventually("the load goes on", || {
        load.ledger.acknowledged() > writes + 50 && load.ledger.reads() > reads + 50
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_killed_costs_no_read_and_no_acknowledged_write() {
    let stand = three().await;
    let load = Load::start(&stand, &stand.db).await;
    goes_on(&load).await;
    stand.verb(|kit| kit.kill_and_promote(1)).await;
    stand.await_writer(1).await;
    goes_on(&load).await;
    // The old writer comes back as a reader, and is used again.
    stand.verb(|kit| kit.rejoin(0)).await;
    eventually("it is a reader", || stand.cluster.topology().readers().len() == 2).await;
    goes_on(&load).await;
    load.verify(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switchovers_cost_no_read_and_no_acknowledged_write() {
    let stand = three().await;
    let load = Load::start(&stand, &stand.db).await;
    for to in [1, 2, 0] {
        goes_on(&load).await;
        stand.verb(move |kit| kit.switchover(to)).await;
        stand.await_writer(to).await;
    }
    goes_on(&load).await;
    load.verify(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_killed_costs_nothing() {
    let stand = three().await;
    let load = Load::start(&stand, &stand.db).await;
    goes_on(&load).await;
    stand.verb(|kit| kit.kill(1)).await;
    goes_on(&load).await;
    stand.verb(|kit| kit.start(1)).await;
    eventually("it is back", || stand.cluster.topology().readers().len() == 2).await;
    goes_on(&load).await;
    load.verify(&stand).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_on_a_writer_that_hangs_fail_in_time() {
    let stand = three().await;
    let txn = stand.db.begin().await.unwrap();
    named("in doubt").insert(&txn).await.unwrap();
    // Two idle connections: to a server that hangs no new one can be made.
    let warm = || named("warm").insert(&stand.db);
    let (one, two) = tokio::join!(warm(), warm());
    assert!(one.is_ok() && two.is_ok());
    stand.verb(|kit| kit.pause(0)).await;
    let hung = Instant::now();
    let (db, other) = (stand.db.clone(), stand.db.session());
    let insert = tokio::spawn(async move { named("pending").insert(&db).await });
    let read = tokio::spawn(async move { item::Entity::find().count(&other.on_writer()).await });
    let commit = tokio::spawn(async move { txn.commit().await });
    let error = insert.await.unwrap().unwrap_err();
    let took = hung.elapsed();
    assert!(took < Duration::from_millis(3500), "{took:?}: {error}");
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert_eq!(cause(&error).map(aurora_seaorm::Error::kind), Some(ErrorKind::ConnectionLost));
    assert_eq!(instance(&error), Some(&stand.id(0)));
    let error = commit.await.unwrap().unwrap_err();
    assert_eq!(outcome(&error), Outcome::Unknown, "{error}");
    assert!(hung.elapsed() < Duration::from_millis(3500));
    stand.verb(|kit| kit.promote(1)).await;
    // Waited for the next writer, unseen.
    assert!(read.await.unwrap().unwrap() >= 1);
    named("after").insert(&stand.db).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_writer_writes_wait_until_their_deadline_and_reads_go_on() {
    let stand = Stand::with(PgCluster::builder().instances(2), "failover_timeout=1s").await;
    stand.verb(|kit| kit.kill(0)).await;
    eventually("the writer is lost", || stand.cluster.topology().writer().is_none()).await;
    let began = Instant::now();
    let error = named("a").insert(&stand.db).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(900), "{error}");
    assert_eq!(cause(&error).map(aurora_seaorm::Error::kind), Some(ErrorKind::NoWriter));
    assert_eq!(outcome(&error), Outcome::NotApplied);
    item::Entity::find().all(&stand.db).await.unwrap();
    let error = stand.db.execute_unprepared("UPDATE items SET name = 'b'").await.unwrap_err();
    assert!(matches!(error, sea_orm::DbErr::Conn(_)), "{error:?}");
}
