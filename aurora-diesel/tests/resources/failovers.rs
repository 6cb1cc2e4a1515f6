//! Failover after failover.

use aurora_diesel::AuroraConnectionManager;
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::Pool;
use test_kit::PgCluster;

use crate::census::{self, Census, LIMIT, connect, eventually, ledger, servers};

/// How many, unless `AURORA_FAILOVERS` says otherwise.
const FAILOVERS: u32 = 3;

/// How much memory a process may gain whatever it does: pages of allocators and of code that runs
/// for the first time.
const GAIN: u64 = 8 << 20;

/// Every failover with threads that read and write all the time.
#[test]
fn failovers_leave_nothing_behind() {
    let _alone = census::alone();
    let given = std::env::var("AURORA_FAILOVERS").ok();
    let failovers = given.map_or(FAILOVERS, |text| text.parse().unwrap());
    let kit = servers(PgCluster::builder().instances(3));
    let empty = Census::take();
    let cluster = connect(&kit, "");
    let manager = AuroraConnectionManager::<PgConnection>::new(cluster.clone());
    let pool = Pool::builder().max_size(8).connection_timeout(LIMIT).build(manager).unwrap();
    let work = |round: u32| {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let session = &mut pool.get().unwrap();
                    let insert = diesel::insert_into(ledger::table);
                    let row = ledger::id.eq(i64::from(round));
                    assert_eq!(insert.values(row).execute(session), Ok(1));
                    let count = ledger::table.count().get_result::<i64>(session).unwrap();
                    assert!(count > 0);
                });
            }
        });
    };
    let failover = |round: u32| {
        let (old, new) = (kit.writer(), (kit.writer() + 1) % 3);
        kit.kill_and_promote(new).unwrap();
        work(round);
        kit.rejoin(old).unwrap();
        eventually("all are back", || cluster.topology().readers().len() == 2);
        work(round);
    };
    // What is made once is not counted: caches, arenas, pages of code.
    for round in 0..2 {
        failover(round);
    }
    let steady = || {
        // The background threads of the runtime that closed connections, and connects that nobody
        // waits for, end by themselves.
        eventually("threads end", || census::threads_called("aurora-connect") == 0);
        (Census::take(), census::resident_bytes())
    };
    let (before, memory) = steady();
    for round in 0..failovers {
        failover(round);
    }
    // One connection per session at most, to three instances, and one monitor for each.
    let most = before.descriptors.max(empty.descriptors + 8 * 3 + 3 + 8);
    eventually("sockets are bounded", || Census::take().descriptors <= most);
    let (after, grown) = steady();
    println!("{failovers} failovers: {before:?} {memory} B -> {after:?} {grown} B");
    // The runtime keeps up to a few threads for blocking work, for ten seconds.
    assert!(after.threads <= before.threads + 4, "{before:?} {after:?}");
    assert!(grown <= memory + GAIN, "{memory} B -> {grown} B");
    let status = cluster.status();
    assert_eq!((status.instances.len(), status.monitor_restarts), (3, 0), "{status:#?}");
    drop(pool);
    drop(cluster);
    let took = empty.await_return("failovers");
    println!("after the drop, back to {empty:?} in {took:?}");
}
