//! Check-out and one statement through each asynchronous adapter, beside the bare ORM with the same
//! pool on the same instance: a SELECT by key on a reader, an INSERT of one row on the writer.
//!
//! `cargo bench -p aurora-benches --bench end_to_end_async [-- "select, bb8"]`

mod doors;
mod pools;

use std::sync::Arc;
use std::time::Instant;

use aurora_benches::{Failure, GOALS_ASYNC, TURNS, WORKERS, keys, rounds, servers, warm_up};
use aurora_diesel::asynchronous::AuroraConnectionManager;
use aurora_diesel::{Cluster, Config};
use aurora_measure::{Latencies, Report};
use tokio::runtime::Runtime;

use doors::{Door, Kind};

/// What is measured on.
struct Ground {
    report: Report,
    runtime: Runtime,
    cluster: Cluster,
    kind: Kind,
    workers: u32,
    name: String,
    /// Where the baseline connects to.
    url: String,
}

type Measure = fn(&Ground) -> Result<(), Failure>;

const ADAPTERS: [(&str, Measure); 4] =
    [("bb8", bb8), ("deadpool", deadpool), ("mobc", mobc), ("SeaORM", seaorm)];

fn main() -> Result<(), Failure> {
    let report = Report::from_arguments();
    let kinds = [("select", Kind::Select), ("insert", Kind::Insert)];
    let mut cases = Vec::new();
    for (adapter, measure) in ADAPTERS {
        for ((word, kind), workers) in
            kinds.into_iter().flat_map(|kind| WORKERS.map(|workers| (kind, workers)))
        {
            let name = format!("{word}, {adapter}, {workers} workers");
            if report.wants(&name) {
                cases.push((name, measure, kind, workers));
            }
        }
    }
    if cases.is_empty() {
        return Ok(());
    }
    let kit = servers()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    for (name, measure, kind, workers) in cases {
        let instance = if kind == Kind::Select { kit.readers()[0] } else { kit.writer() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (report, cluster, url) = (report.clone(), cluster.clone(), kit.instance_url(instance));
        measure(&Ground { report, runtime, cluster, kind, workers, name, url })?;
    }
    Ok(())
}

fn bb8(ground: &Ground) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let ours = bb8::Pool::builder().max_size(ground.workers).build(manager);
    let ours = ground.runtime.block_on(ours)?;
    let bare = || ground.runtime.block_on(pools::bb8(&ground.url, ground.workers));
    ground.measure(ours, [bare()?, bare()?])
}

fn deadpool(ground: &Ground) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let size = usize::try_from(ground.workers)?;
    let ours = aurora_diesel::asynchronous::deadpool::Pool::builder(manager).max_size(size);
    let bare = || pools::deadpool(&ground.url, size);
    ground.measure(ours.build()?, [bare()?, bare()?])
}

fn mobc(ground: &Ground) -> Result<(), Failure> {
    let manager = AuroraConnectionManager::new(ground.cluster.clone());
    let size = u64::from(ground.workers);
    let ours = mobc::Pool::builder().max_open(size).max_idle(size).build(manager);
    let bare = || pools::mobc(&ground.url, ground.workers);
    ground.measure(ours, [bare(), bare()])
}

fn seaorm(ground: &Ground) -> Result<(), Failure> {
    let ours = aurora_seaorm::AuroraConnection::builder(ground.cluster.clone());
    let ours = ours.max_connections(usize::try_from(ground.workers)?).build();
    let bare = || ground.runtime.block_on(pools::seaorm(&ground.url, ground.workers));
    ground.measure(ours, [bare()?, bare()?])
}

impl Ground {
    /// All in turn, round by round.
    fn measure<B: Door>(&self, ours: impl Door, bare: [B; 2]) -> Result<(), Failure> {
        let (ours, bare) = (Arc::new(ours), bare.map(Arc::new));
        let round = |turn: usize| match turn {
            0 => self.runtime.block_on(round(&ours, self.kind, self.workers)),
            _ => self.runtime.block_on(round(&bare[turn - 1], self.kind, self.workers)),
        };
        warm_up(&self.cluster, || drop([0, 1, 2].map(round)))?;
        let mut times = [(); 3].map(|()| Latencies::default());
        for number in 0..rounds()? {
            for turn in TURNS[number % TURNS.len()] {
                times[turn].add(round(turn));
            }
        }
        let [mut ours, first, second] = times;
        let figures = ours.beside(&self.name, &mut [first, second], GOALS_ASYNC);
        figures.iter().for_each(|figure| self.report.add(figure));
        Ok(())
    }
}

/// The statements of one round, shared among the workers.
async fn round<D: Door>(door: &Arc<D>, kind: Kind, workers: u32) -> Latencies {
    let work = |door: Arc<D>| async move {
        let mut times = Latencies::default();
        let (first, more) = keys(workers);
        let began = Instant::now();
        door.run(kind, first).await;
        times.first_since(began);
        for key in more {
            let began = Instant::now();
            door.run(kind, key).await;
            times.since(began);
        }
        times
    };
    let tasks: Vec<_> = (0..workers).map(|_| tokio::spawn(work(Arc::clone(door)))).collect();
    let mut all = Latencies::default();
    for task in tasks {
        all.add(task.await.expect("every statement succeeds"));
    }
    all
}
