//! Many clusters in one process.

use std::time::Duration;

use aurora_core::{Event, Events};
use aurora_diesel::Cluster;
use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use test_kit::PgCluster;
use tokio::runtime::Runtime;

use crate::census::{self, Census, connect, eventually, ledger, servers, threads_called};

/// What tells a cluster from another, and that nothing has happened to it.
fn state(cluster: &Cluster) -> (u64, Option<String>, u64) {
    let status = cluster.status();
    let errors = status.instances.iter().map(|instance| instance.errors).sum();
    (status.generation, status.writer.map(|writer| writer.to_string()), errors)
}

fn write(runtime: &Runtime, manager: &AuroraConnectionManager) -> QueryResult<usize> {
    let mut session = manager.session();
    let insert = diesel::insert_into(ledger::table).values(ledger::id.eq(1));
    runtime.block_on(insert.execute(&mut session))
}

fn unrest(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next()).collect()
}

#[test]
fn fifty_clusters_do_not_disturb_each_other() {
    let _alone = census::alone();
    let (calm, hurt) = (
        servers(PgCluster::builder().instances(2).setting("max_connections", "200")),
        servers(PgCluster::builder().instances(2)),
    );
    let runtime = Runtime::new().unwrap();
    let before = Census::take();
    let first = connect(&calm, "detection_time=10s");
    let with_one = threads_called("aurora-monitor");
    let mut others = vec![first];
    others.extend((1..49).map(|_| connect(&calm, "detection_time=10s")));
    let victim = connect(&hurt, "");
    assert!(threads_called("aurora-monitor") <= with_one + 2, "threads grow with clusters");
    let manager = |cluster: &Cluster| AuroraConnectionManager::new(cluster.clone());
    let managers: Vec<_> = others.iter().map(manager).collect();
    for manager in &managers {
        assert_eq!(write(&runtime, manager), Ok(1));
    }
    let states: Vec<_> = others.iter().map(state).collect();
    let mut events: Vec<_> = others.iter().map(Cluster::events).collect();
    let hurting = manager(&victim);
    hurt.kill_and_promote(1).unwrap();
    assert_eq!(write(&runtime, &hurting), Ok(1));
    assert_eq!(victim.wait_for_writer_blocking(Duration::ZERO).unwrap().as_str(), hurt.name(1));
    for manager in &managers {
        assert_eq!(write(&runtime, manager), Ok(1));
    }
    assert_eq!(others.iter().map(state).collect::<Vec<_>>(), states);
    let heard: Vec<_> = events.iter_mut().map(unrest).collect();
    assert!(heard.iter().all(Vec::is_empty), "{heard:?}");
    println!("50 clusters: {:?}, before {before:?}", Census::take());
    drop((hurting, victim, managers, others, events));
    let took = before.await_return("50 clusters");
    println!("after the drop, back to {before:?} in {took:?}");
    eventually("no monitor is left", || threads_called("aurora-monitor") == 0);
}
