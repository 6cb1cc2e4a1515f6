//! Check-out and one SELECT by key, through each asynchronous adapter, beside the bare ORM with the
//! same pool on the same instance.
//!
//! `cargo bench -p aurora-benches --bench select_async [-- bb8 deadpool mobc seaorm]`
//!
//! What the baselines do at check-out is said with each figure: "no check" is
//! `RecyclingMethod::Fast` (for bb8 with `test_on_check_out(false)`, for SeaORM
//! `test_before_acquire(false)`), "default" is what the pool does unless told otherwise: a round
//! trip. sqlx's pool makes one more when a connection is returned, in both cases; ours makes none.

mod doors;
mod pools;

use std::sync::Arc;

use aurora_benches::compare;
use aurora_diesel::asynchronous::AuroraConnectionManager;
use aurora_diesel::{Cluster, Config};
use diesel_async::SimpleAsyncConnection as _;
use tokio::runtime::Runtime;

use doors::Door;

/// Tasks that ask at the same time; the pools hold as many connections.
const WORKERS: [u32; 2] = [1, 8];
const KEYS: i32 = 1000;
const ROUNDS: usize = 1001;
/// Of all workers together, in one round.
const STATEMENTS: u32 = 40;

type Failure = Box<dyn std::error::Error>;

/// What is measured on.
struct Ground {
    runtime: Runtime,
    cluster: Cluster,
    /// The only reader, so that both ask the same instance.
    reader: String,
}

fn main() -> Result<(), Failure> {
    let kit = test_kit::PgCluster::builder().instances(2).start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let reader = kit.instance_url(kit.readers()[0]);
    let ground = Ground { runtime, cluster, reader };
    ground.runtime.block_on(fill(&ground.cluster))?;
    await_rows(&kit)?;
    println!("check-out and SELECT by key, {ROUNDS} rounds of {STATEMENTS}, in turn:");
    let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for (name, measure) in ADAPTERS {
        for workers in WORKERS.into_iter().filter(|_| is_wanted(name)) {
            measure(&ground, name, workers)?;
        }
    }
    Ok(())
}

type Measure = fn(&Ground, &str, u32) -> Result<(), Failure>;

const ADAPTERS: [(&str, Measure); 4] =
    [("bb8", bb8), ("deadpool", deadpool), ("mobc", mobc), ("seaorm", seaorm)];

fn bb8(ground: &Ground, name: &str, workers: u32) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let ours = bb8::Pool::builder().max_size(workers);
    let ours = ground.runtime.block_on(ours.build(manager))?;
    for check in [false, true] {
        let baseline = ground.runtime.block_on(pools::bb8(&ground.reader, workers, check))?;
        ground.report(name, workers, check, &ours, baseline);
    }
    Ok(())
}

fn deadpool(ground: &Ground, name: &str, workers: u32) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let ours = aurora_diesel::asynchronous::deadpool::Pool::builder(manager);
    let ours = ours.max_size(usize::try_from(workers)?).build()?;
    for check in [false, true] {
        let baseline = pools::deadpool(&ground.reader, usize::try_from(workers)?, check)?;
        ground.report(name, workers, check, &ours, baseline);
    }
    Ok(())
}

fn mobc(ground: &Ground, name: &str, workers: u32) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let ours = mobc::Pool::builder().max_open(workers.into()).max_idle(workers.into());
    let ours = ours.build(manager);
    for check in [false, true] {
        let baseline = pools::mobc(&ground.reader, workers, check);
        ground.report(name, workers, check, &ours, baseline);
    }
    Ok(())
}

fn seaorm(ground: &Ground, name: &str, workers: u32) -> Result<(), Failure> {
    let ours = aurora_seaorm::AuroraConnection::builder(ground.cluster.clone());
    let ours = ours.max_connections(usize::try_from(workers)?).build();
    for check in [false, true] {
        let connecting = pools::seaorm(&ground.reader, workers, check);
        let baseline = ground.runtime.block_on(connecting)?;
        ground.report(name, workers, check, &ours, baseline);
    }
    Ok(())
}

impl Ground {
    /// Measures one way against another, and prints what was found.
    fn report(
        &self,
        name: &str,
        workers: u32,
        check: bool,
        ours: &(impl Door + Clone),
        baseline: impl Door,
    ) {
        let (ours, baseline) = (Arc::new(ours.clone()), Arc::new(baseline));
        let found = compare(
            ROUNDS,
            1,
            || self.runtime.block_on(round(&ours, workers)),
            || self.runtime.block_on(round(&baseline, workers)),
        );
        let check = if check { "default" } else { "no check" };
        println!("  {name:8} x{workers}, {check:8}  {}", found.divided_by(STATEMENTS));
    }
}

/// The statements of one round, shared among the workers.
async fn round<D: Door>(door: &Arc<D>, workers: u32) {
    let each = usize::try_from(STATEMENTS / workers).unwrap_or_default();
    let work = |door: Arc<D>| async move {
        for key in (1..=KEYS).cycle().take(each) {
            std::hint::black_box(door.select(key).await);
        }
    };
    let tasks: Vec<_> = (0..workers).map(|_| tokio::spawn(work(Arc::clone(door)))).collect();
    for task in tasks {
        task.await.expect("every select succeeds");
    }
}

async fn fill(cluster: &Cluster) -> diesel::QueryResult<()> {
    let manager = AuroraConnectionManager::new(cluster.clone());
    let sql = format!(
        "CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL);
         INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, {KEYS}) AS n"
    );
    manager.session().batch_execute(&sql).await
}

/// The reader may be a moment behind.
fn await_rows(kit: &test_kit::PgCluster) -> Result<(), Failure> {
    let mut reader = kit.client(kit.readers()[0])?;
    let arrived = test_kit::wait_until(std::time::Duration::from_secs(10), || {
        reader
            .query_one("SELECT count(*) FROM items", &[])
            .is_ok_and(|row| row.get::<_, i64>(0) == i64::from(KEYS))
    });
    if arrived { Ok(()) } else { Err("the rows did not arrive on the reader".into()) }
}
