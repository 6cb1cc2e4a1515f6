//! What the benches with servers share.
//!
//! `cargo xtask bench` runs all of them; how they measure is in `aurora_measure`.

use std::time::Duration;

use aurora_diesel::Cluster;
use test_kit::PgCluster;

/// What goes wrong here ends the bench.
pub type Failure = Box<dyn std::error::Error>;

/// Rows of the table `items`, whose keys are counted from one.
pub const KEYS: i32 = 1000;

/// Statements that run at the same time; pools hold as many connections.
pub const WORKERS: [u32; 3] = [1, 8, 64];

/// What statements through asynchronous adapters should take, divided by what they take without:
/// the median and the 99th percentile.
pub const GOALS_ASYNC: (f64, f64) = (1.01, 1.02);

/// The same for Diesel on the calling thread.
pub const GOALS_SYNC: (f64, f64) = (1.02, 1.03);

/// In which order ours and two bare pools have their rounds: each comes as often after each other
/// one.
pub const TURNS: [[usize; 3]; 6] =
    [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]];

/// The keys of the statements of one worker in one round, the first of which is told apart. The
/// more workers there are the fewer, so that rounds are short and what disturbs one disturbs its
/// neighbour.
pub fn keys(workers: u32) -> (i32, impl Iterator<Item = i32> + Send) {
    (1, (2..=KEYS).cycle().take((160 / workers).max(5) as usize))
}

/// Lets `work` be done until it opens no more connections to the cluster.
///
/// A bare pool opens one for everybody who waits, and makes all of them wait for that. Ours opens
/// them one after the other, and those who wait are served meanwhile: a crowd that is larger than
/// any before it is some rounds old until there are as many as it needs.
///
/// # Errors
///
/// When that takes too long.
pub fn warm_up(cluster: &Cluster, mut work: impl FnMut()) -> Result<(), Failure> {
    let open = || cluster.status().instances.iter().map(|instance| instance.connections).sum();
    let (mut before, mut unchanged): (u64, u32) = (0, 0);
    for _ in 0..500 {
        work();
        let now = open();
        unchanged = if now == before { unchanged + 1 } else { 0 };
        if unchanged == 10 {
            return Ok(());
        }
        before = now;
    }
    Err(format!("there are {before} connections, and ever more").into())
}

/// How many rounds, by the variable `AURORA_BENCH_ROUNDS`; 300 without it.
///
/// # Errors
/// When the variable is no number.
pub fn rounds() -> Result<usize, Failure> {
    number("AURORA_BENCH_ROUNDS", 300)
}

/// How many faults of each kind, by the variable `AURORA_BENCH_FAULTS`; 15 without it.
///
/// # Errors
/// When the variable is no number.
pub fn faults() -> Result<usize, Failure> {
    number("AURORA_BENCH_FAULTS", 15)
}

fn number(variable: &str, usual: usize) -> Result<usize, Failure> {
    let Ok(asked) = std::env::var(variable) else { return Ok(usual) };
    asked.parse().map_err(|_| format!("{variable} is `{asked}`: write a number").into())
}

/// A writer and one reader, so that ours and the baseline ask the same instance; with the tables
/// `items`, full of rows, and `events`.
///
/// # Errors
///
/// When the servers do not start or the rows do not arrive.
pub fn servers() -> Result<PgCluster, Failure> {
    let kit = PgCluster::builder().instances(2).setting("max_connections", "300").start()?;
    kit.client(kit.writer())?.batch_execute(&format!(
        "CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL);
         CREATE TABLE events (id serial PRIMARY KEY, item integer NOT NULL);
         INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, {KEYS}) AS n"
    ))?;
    let mut reader = kit.client(kit.readers()[0])?;
    let arrived = test_kit::wait_until(Duration::from_secs(20), || {
        let count = reader.query_one("SELECT count(*) FROM items", &[]);
        count.is_ok_and(|row| row.get::<_, i64>(0) == i64::from(KEYS))
    });
    if arrived { Ok(kit) } else { Err("the rows did not arrive on the reader".into()) }
}
