//! Everything is dropped in every state, also with the runtime under it.

use std::time::Duration;

use aurora_diesel::asynchronous::{AuroraConnectionManager, bb8};
use aurora_diesel::{Cluster, Config};
use diesel::QueryResult;
use diesel_async::SimpleAsyncConnection;
use test_kit::PgCluster;
use tokio::runtime::Runtime;

use crate::census::{self, Census, connect, eventually, servers};

/// How many tasks are in the middle of something.
const TASKS: usize = 20;

/// The state in which everything is dropped.
#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    InStatement,
    InTransaction,
    WaitingForTurn,
    WaitingForWriter,
    WriterHangs,
}

const STATES: [State; 6] = [
    State::Idle,
    State::InStatement,
    State::InTransaction,
    State::WaitingForTurn,
    State::WaitingForWriter,
    State::WriterHangs,
];

/// Which of the parts is dropped first.
#[derive(Clone, Copy, Debug)]
enum First {
    Futures,
    Runtime,
    Handles,
}

async fn sleep_on_writer(manager: AuroraConnectionManager) -> QueryResult<()> {
    manager.session().batch_execute("UPDATE ledger SET id = 1; SELECT pg_sleep(60)").await
}

async fn transaction(manager: AuroraConnectionManager) -> QueryResult<()> {
    let mut session = manager.session();
    session.batch_execute("BEGIN; INSERT INTO ledger VALUES (1)").await?;
    std::future::pending().await
}

/// Brings `TASKS` tasks of the runtime into that state.
fn enter(state: State, kit: &PgCluster, runtime: &Runtime, manager: &AuroraConnectionManager) {
    let cluster = manager.cluster();
    if matches!(state, State::WaitingForWriter) {
        kit.kill(0).unwrap();
        eventually("the writer is lost", || cluster.topology().writer().is_none());
    }
    for _ in 0..TASKS {
        let manager = manager.clone();
        match state {
            State::InTransaction => runtime.spawn(transaction(manager)),
            _ => runtime.spawn(sleep_on_writer(manager)),
        };
    }
    let in_flight = || -> u64 { cluster.status().instances.iter().map(|i| i.in_flight).sum() };
    let open = || -> u64 { cluster.status().instances.iter().map(|i| i.connections).sum() };
    match state {
        State::WaitingForWriter => {}
        State::WaitingForTurn => eventually("one runs", || in_flight() >= 1),
        _ => eventually("all are busy", || open() == TASKS as u64),
    }
    if matches!(state, State::WriterHangs) {
        kit.pause(0).unwrap();
    }
}

fn drop_all(state: State, first: First, kit: &PgCluster) {
    let before = Census::take();
    let runtime = Runtime::new().unwrap();
    let rate = if matches!(state, State::WaitingForTurn) { "1" } else { "none" };
    let cluster = connect(kit, &format!("connect_rate={rate}"));
    let manager = AuroraConnectionManager::new(cluster.clone());
    let pool = runtime.block_on(bb8::Pool::builder().max_size(2).build(manager.clone())).unwrap();
    if !matches!(state, State::Idle) {
        enter(state, kit, &runtime, &manager);
    }
    match first {
        First::Futures => {
            drop(runtime);
            drop((pool, manager));
            drop(cluster);
        }
        First::Runtime => {
            runtime.shutdown_background();
            cluster.close();
            drop((cluster, pool, manager));
        }
        First::Handles => {
            cluster.close();
            drop((cluster, pool, manager));
            drop(runtime);
        }
    }
    let took = before.await_return(&format!("{state:?}, {first:?}"));
    println!("{state:?}, {first:?}: {took:?}");
}

#[test]
fn what_is_dropped_in_any_state_ends() {
    let _alone = census::alone();
    let kit = servers(PgCluster::builder().instances(2));
    for state in STATES {
        for first in [First::Futures, First::Runtime, First::Handles] {
            drop_all(state, first, &kit);
            match state {
                State::WaitingForWriter => kit.start(0).unwrap(),
                State::WriterHangs => kit.resume(0).unwrap(),
                _ => {}
            }
        }
    }
}

#[test]
fn a_connect_that_is_dropped_ends() {
    let _alone = census::alone();
    let kit = servers(PgCluster::builder().instances(2));
    let config = Config::from_url(&kit.url()).unwrap();
    kit.pause(0).unwrap();
    kit.pause(1).unwrap();
    let before = Census::take();
    for millis in [0, 1, 5, 20, 100] {
        let runtime = Runtime::new().unwrap();
        let connecting = Cluster::connect(config.clone());
        let limit = Duration::from_millis(millis);
        let done = runtime.block_on(async { tokio::time::timeout(limit, connecting).await });
        assert!(done.is_err(), "nobody answers");
        drop(runtime);
        before.await_return("a dropped connect");
    }
    let runtime = Runtime::new().unwrap();
    runtime.spawn(Cluster::connect(config));
    runtime.shutdown_background();
    before.await_return("a runtime that ended during a connect");
    kit.resume(0).unwrap();
    kit.resume(1).unwrap();
}

/// A thread that waits is woken when the cluster is closed.
#[test]
fn threads_that_wait_end_when_the_cluster_is_closed() {
    let _alone = census::alone();
    let kit = servers(PgCluster::builder().instances(2));
    let before = Census::take();
    let cluster = connect(&kit, "connect_rate=1&failover_timeout=600s");
    let manager = aurora_diesel::AuroraConnectionManager::<diesel::PgConnection>::new(cluster);
    let cluster = manager.cluster().clone();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    use diesel::connection::SimpleConnection as _;
                    let mut session = manager.session();
                    let set = session.batch_execute("SET work_mem = '7MB'");
                    // Keeps its connection until all are through.
                    (session, set.is_err())
                })
            })
            .collect();
        eventually("one is connected", || {
            cluster.status().instances.iter().map(|i| i.connections).sum::<u64>() >= 1
        });
        cluster.close();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(ended.iter().any(|(_, failed)| *failed), "who waited is told");
    });
    drop((manager, cluster));
    before.await_return("a close");
}
