//! SELECTs by key through one adapter, ours or bare, so many times and nothing else: to count what
//! the client executes under callgrind.
//!
//! `cargo xtask bench --guard` runs it; by hand, `<the program> --list` names the pieces, and
//! `valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*measured*' <the program>
//! "select, bb8" 100` counts those of one of them. The servers are children that are not counted;
//! what monitors the cluster runs on threads of its own, which are not counted either.

#[allow(dead_code, reason = "nothing is inserted here")]
#[path = "../end_to_end_async/doors.rs"]
mod doors;
#[path = "../end_to_end_async/pools.rs"]
mod pools;

use std::process::ExitCode;
use std::sync::Arc;

use aurora_benches::{Failure, KEYS, servers};
use aurora_diesel::asynchronous::AuroraConnectionManager as AsyncManager;
use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, ManageConnection, Pool, R2D2Connection};
use test_kit::PgCluster;
use tokio::runtime::Runtime;

use doors::{Door, Kind};

/// Does its work that many times.
type Work = Box<dyn FnMut(u32)>;
type Begin = fn(&PgCluster) -> Result<Work, Failure>;

const PIECES: [(&str, Begin); 10] = [
    ("select, Diesel and r2d2", |kit| {
        diesel(AuroraConnectionManager::<PgConnection>::new(cluster(kit)?))
    }),
    ("select, Diesel and r2d2, bare", |kit| {
        diesel(ConnectionManager::<PgConnection>::new(reader(kit)))
    }),
    ("select, bb8", |kit| {
        let (runtime, cluster) = (runtime()?, cluster(kit)?);
        let pool = bb8::Pool::builder().max_size(1).build(AsyncManager::new(cluster));
        let pool = runtime.block_on(pool)?;
        Ok(through(runtime, pool))
    }),
    ("select, bb8, bare", |kit| {
        let runtime = runtime()?;
        let pool = runtime.block_on(pools::bb8(&reader(kit), 1))?;
        Ok(through(runtime, pool))
    }),
    ("select, deadpool", |kit| {
        let manager = AsyncManager::new(cluster(kit)?);
        let pool = aurora_diesel::asynchronous::deadpool::Pool::builder(manager).max_size(1);
        Ok(through(runtime()?, pool.build()?))
    }),
    ("select, deadpool, bare", |kit| Ok(through(runtime()?, pools::deadpool(&reader(kit), 1)?))),
    ("select, mobc", |kit| {
        let (runtime, manager) = (runtime()?, AsyncManager::new(cluster(kit)?));
        let pool = mobc::Pool::builder().max_open(1).max_idle(1).build(manager);
        Ok(through(runtime, pool))
    }),
    ("select, mobc, bare", |kit| Ok(through(runtime()?, pools::mobc(&reader(kit), 1)))),
    ("select, SeaORM", |kit| {
        let pool = aurora_seaorm::AuroraConnection::builder(cluster(kit)?);
        Ok(through(runtime()?, pool.max_connections(1).build()))
    }),
    ("select, SeaORM, bare", |kit| {
        let runtime = runtime()?;
        let pool = runtime.block_on(pools::seaorm(&reader(kit), 1))?;
        Ok(through(runtime, pool))
    }),
];

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["--list"] => {
            PIECES.iter().for_each(|(name, _)| println!("{name}"));
            Ok(ExitCode::SUCCESS)
        }
        [name, count] => {
            let found = PIECES.iter().find(|(known, _)| known == name);
            let (Some((_, begin)), Ok(count)) = (found, count.parse()) else {
                eprintln!("no piece called {name}, or {count} is no number");
                return Ok(ExitCode::FAILURE);
            };
            let kit = servers()?;
            let mut work = begin(&kit)?;
            // Connections are opened, statements prepared, caches filled.
            work(50);
            measured(&mut work, count);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("give the name of a piece and a number, or nothing");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What callgrind counts: its name is what it is told to look for.
#[inline(never)]
fn measured(work: &mut Work, count: u32) {
    work(count);
    std::hint::black_box(count);
}

/// Where the baselines connect to, and ours reads.
fn reader(kit: &PgCluster) -> String {
    kit.instance_url(kit.readers()[0])
}

/// A cluster whose monitors have patience: under valgrind everything takes fifty times as long.
fn cluster(kit: &PgCluster) -> Result<Cluster, Failure> {
    let url = format!("{}?detection_time=60s&probe_interval=10s&connect_timeout=60s", kit.url());
    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let known = || cluster.topology().readers().len() == 1;
    if test_kit::wait_until(std::time::Duration::from_secs(60), known) {
        return Ok(cluster);
    }
    Err("the reader did not come up".into())
}

/// All on the thread that is counted.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn through(runtime: Runtime, door: impl Door) -> Work {
    let door = Arc::new(door);
    Box::new(move |count| {
        let door = Arc::clone(&door);
        runtime.block_on(async move {
            for key in (1..=KEYS).cycle().take(count as usize) {
                door.run(Kind::Select, key).await;
            }
        });
    })
}

fn diesel<M>(manager: M) -> Result<Work, Failure>
where
    M: ManageConnection<Error: 'static>,
    M::Connection: R2D2Connection<Backend = Pg> + diesel::connection::LoadConnection + 'static,
{
    let pool = Pool::builder().max_size(1).test_on_check_out(false).build(manager)?;
    Ok(Box::new(move |count| {
        for key in (1..=KEYS).cycle().take(count as usize) {
            let connection = &mut pool.get().expect("a connection of the pool");
            let query = doors::items::table.find(key).select(doors::items::name);
            let name: String = query.first(connection).expect("every key has its row");
            std::hint::black_box(name);
        }
    }))
}
