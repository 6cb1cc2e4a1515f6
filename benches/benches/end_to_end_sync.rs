//! Check-out and one statement through Diesel and r2d2, beside the bare ORM with the same pool on
//! the same instance: a SELECT by key on a reader, an INSERT of one row on the writer.
//!
//! `cargo bench -p aurora-benches --bench end_to_end_sync [-- select]`
//!
//! The bare pool does not test connections at check-out (`test_on_check_out(false)`): with its
//! default, which is a round trip, it is nearly twice as slow.

use std::sync::Barrier;
use std::time::Instant;

use aurora_benches::{Failure, GOALS_SYNC, TURNS, WORKERS, keys, rounds, servers, warm_up};
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
        let ours = Pool::builder().max_size(workers).build(manager.clone())?;
        let bare = || {
            let manager = ConnectionManager::<PgConnection>::new(kit.instance_url(instance));
            Pool::builder().max_size(workers).test_on_check_out(false).build(manager)
        };
        let bare = [bare()?, bare()?];
        let run = |turn: usize, key| match (turn, is_read) {
            (0, true) => select(&ours, key),
            (0, false) => insert(&ours, key),
            (_, true) => select(&bare[turn - 1], key),
            (_, false) => insert(&bare[turn - 1], key),
        };
        warm_up(&cluster, || drop(in_turn(workers, 1, run)))?;
        let [mut ours, first, second] = in_turn(workers, rounds()?, run);
        let figures = ours.beside(&name(kind, workers), &mut [first, second], GOALS_SYNC);
        figures.iter().for_each(|figure| report.add(figure));
    }
    Ok(())
}

/// Lets as many threads run the statements of all in turn, round by round.
fn in_turn(workers: u32, rounds: usize, run: impl Fn(usize, i32) + Sync) -> [Latencies; 3] {
    let size = usize::try_from(workers).unwrap_or(1);
    let barrier = Barrier::new(size);
    let work = || {
        let mut times = [(); 3].map(|()| Latencies::default());
        for round in 0..rounds {
            for turn in TURNS[round % TURNS.len()] {
                barrier.wait();
                let (first, more) = keys(workers);
                let began = Instant::now();
                run(turn, first);
                times[turn].first_since(began);
                for key in more {
                    let began = Instant::now();
                    run(turn, key);
                    times[turn].since(began);
                }
            }
        }
        times
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = [(); 3].map(|()| Latencies::default());
        for thread in threads {
            let times = thread.join().expect("every statement succeeds");
            all.iter_mut().zip(times).for_each(|(all, times)| all.add(times));
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
