//! Check-out and one statement through Diesel and r2d2, beside the bare ORM with the same pool on
//! the same instance: a SELECT by key on a reader, an INSERT of one row on the writer.
//!
//! `cargo bench -p aurora-benches --bench end_to_end_sync [-- select]`
//!
//! The bare pool does not test connections at check-out (`test_on_check_out(false)`): with its
//! default, which is a round trip, it is nearly twice as slow.

use std::sync::Barrier;

use aurora_benches::{
    Failure, GOALS_SYNC, KEYS, WORKERS, rounds, servers, statements_each, warm_up,
};
use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use aurora_measure::{Latencies, Report};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, ManageConnection, Pool, R2D2Connection};

#[allow(missing_docs, reason = "the macro's own items")]
mod schema {
    diesel::table! {
        items { id -> Integer, name -> Text, }
    }
    diesel::table! {
        events { id -> Integer, item -> Integer, }
    }
}
use schema::{events, items};

fn main() -> Result<(), Failure> {
    let report = Report::from_arguments();
    let name = |kind, workers| format!("{kind}, Diesel and r2d2, {workers} workers");
    let cases = ["select", "insert"].into_iter().flat_map(|kind| WORKERS.map(|n| (kind, n)));
    let cases: Vec<_> = cases.filter(|&(kind, n)| report.wants(&name(kind, n))).collect();
    if cases.is_empty() {
        return Ok(());
    }
    let kit = servers()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let manager = AuroraConnectionManager::<PgConnection>::new(cluster.clone());
    for (kind, workers) in cases {
        let is_read = kind == "select";
        let instance = if is_read { kit.readers()[0] } else { kit.writer() };
        let bare = ConnectionManager::<PgConnection>::new(kit.instance_url(instance));
        let ours = Pool::builder().max_size(workers).build(manager.clone())?;
        let bare = Pool::builder().max_size(workers).test_on_check_out(false).build(bare)?;
        let ours = |key| if is_read { select(&ours, key) } else { insert(&ours, key) };
        let bare = |key| if is_read { select(&bare, key) } else { insert(&bare, key) };
        warm_up(&cluster, || drop(in_turn((workers, 1), ours, bare)))?;
        let [mut ours, mut bare] = in_turn((workers, rounds()?), ours, bare);
        let name = name(kind, workers);
        ours.beside(&name, &mut bare, GOALS_SYNC).iter().for_each(|figure| report.add(figure));
    }
    Ok(())
}

/// Lets as many threads do `ours` and `bare` in turn, round by round.
fn in_turn(
    (workers, rounds): (u32, usize),
    ours: impl Fn(i32) + Sync,
    bare: impl Fn(i32) + Sync,
) -> [Latencies; 2] {
    let size = usize::try_from(workers).unwrap_or(1);
    let barrier = Barrier::new(size);
    let work = || {
        let mut times = [Latencies::default(), Latencies::default()];
        for round in 0..rounds {
            for turn in [round % 2, 1 - round % 2] {
                barrier.wait();
                for key in (1..=KEYS).cycle().take(statements_each(workers) as usize) {
                    times[turn].time(|| if turn == 0 { ours(key) } else { bare(key) });
                }
            }
        }
        times
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = [Latencies::default(), Latencies::default()];
        for thread in threads {
            let [a, b] = thread.join().expect("every statement succeeds");
            all[0].add(a);
            all[1].add(b);
        }
        all
    })
}

fn select<M>(pool: &Pool<M>, key: i32)
where
    M: ManageConnection,
    M::Connection: R2D2Connection<Backend = Pg> + diesel::connection::LoadConnection + 'static,
{
    let connection = &mut pool.get().expect("a connection of the pool");
    let name: String = items::table
        .find(key)
        .select(items::name)
        .first(connection)
        .expect("every key has its row");
    std::hint::black_box(name);
}

fn insert<M>(pool: &Pool<M>, key: i32)
where
    M: ManageConnection,
    M::Connection: R2D2Connection<Backend = Pg> + diesel::connection::LoadConnection + 'static,
{
    let connection = &mut pool.get().expect("a connection of the pool");
    let row = diesel::insert_into(events::table).values(events::item.eq(key));
    row.execute(connection).expect("the row is written");
}
