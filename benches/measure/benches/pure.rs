//! What is decided about a statement, and what the engine does with an answer: without any server,
//! by the time this thread has a processor.
//!
//! `cargo bench -p aurora-measure --bench pure [-- a part of a name]`

use std::time::{Duration, Instant};

use aurora_core::benching::{self, Life};
use aurora_core::session::Session;
use aurora_core::{Cluster, Error, Freshness};
use aurora_counting_allocator::{Counting, counted};
use aurora_measure::pure::{Piece, Work, decide, pieces};
use aurora_measure::{Figure, Goal, Report, compare_by, cpu_time};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 301;
const NANOS: (&str, f64) = ("ns", 1e9);
/// Threads that decide at the same time.
const THREADS: usize = 8;
/// What one process is to watch at most.
const CLUSTERS: u16 = 50;
const INSTANCES: u16 = 100;

fn main() -> Result<(), Error> {
    let report = Report::from_arguments();
    for piece in pieces().into_iter().filter(|piece| report.wants(&piece.name)) {
        let mut work = piece.begin()?;
        report.add(&time(&piece, &mut work));
        let ((), allocated) = counted(|| work(100));
        let times = Figure::new(format!("{}: allocations", piece.name), "", per(allocated.times));
        report.add(&match piece.goal {
            Some(_) => times.with_goal(Goal::AtMost(0.0)),
            None => times,
        });
    }
    threads(&report)?;
    monitoring(&report)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn nanos(time: Duration) -> f64 {
    time.as_nanos() as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn per(count: u64) -> f64 {
    count as f64 / 100.0
}

/// The least of many rounds: what disturbs makes it longer, and nothing makes it shorter.
fn time(piece: &Piece, work: &mut Work) -> Figure {
    let operations = piece.operations;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = cpu_time();
        work(operations);
        best = best.min(cpu_time() - began);
    }
    let figure = Figure::new(&piece.name, "ns", best.as_secs_f64() * 1e9 / f64::from(operations));
    match piece.goal {
        Some(goal) => figure.with_goal(Goal::AtMost(nanos(goal))),
        None => figure,
    }
}

/// Eight threads that share a cluster beside eight that have one each: what sharing costs.
fn threads(report: &Report) -> Result<(), Error> {
    let name = format!("route and verdict, {THREADS} threads, shared or not");
    if !report.wants(&name) {
        return Ok(());
    }
    let shared = vec![benching::still_cluster(15)?; THREADS];
    let own = (0..THREADS).map(|_| benching::still_cluster(15)).collect::<Result<Vec<_>, _>>()?;
    let spent = std::cell::Cell::new(Duration::ZERO);
    let operations = 20_000;
    let run = |clusters: &[Cluster]| spent.set(spent.get() + all_at_once(clusters, operations));
    let found = compare_by(|| spent.get(), 61, 1, || run(&shared), || run(&own));
    let times = u32::try_from(THREADS).unwrap_or(1) * operations;
    let figure = Figure::times(&name, NANOS, &found.divided_by(times));
    report.add(&figure.with_goal(Goal::RatioAtMost(1.05)));
    Ok(())
}

/// The time of processors that all of them take together.
fn all_at_once(clusters: &[Cluster], operations: u32) -> Duration {
    let gate = std::sync::Barrier::new(clusters.len());
    let work = |cluster: &Cluster| {
        let session = Session::new(Freshness::Eventual);
        decide(cluster, &session);
        gate.wait();
        let began = cpu_time();
        (0..operations).for_each(|_| decide(cluster, &session));
        cpu_time() - began
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            clusters.iter().map(|cluster| scope.spawn(|| work(cluster))).collect();
        threads.into_iter().map(|thread| thread.join().expect("nothing panics")).sum()
    })
}

/// What the engines of many large clusters take of one core, at the default interval.
fn monitoring(report: &Report) -> Result<(), Error> {
    for (clusters, instances, goal) in [(1, 15, Some(0.1)), (CLUSTERS, INSTANCES, None)] {
        let name = format!("engines of {clusters} x {instances} instances");
        if !report.wants(&name) {
            continue;
        }
        let lives: Result<Vec<Life>, Error> =
            (0..clusters).map(|_| Life::begin(instances)).collect();
        let mut lives = lives?;
        let answers = 3 * u32::from(instances);
        // At rest: while instances are found every answer changes something.
        lives.iter_mut().for_each(|life| (0..answers).for_each(|_| life.answer()));
        let (began, wall) = (cpu_time(), Instant::now());
        let mut virtual_time = Duration::ZERO;
        for life in &mut lives {
            let before = life.elapsed();
            (0..answers).for_each(|_| life.answer());
            virtual_time += life.elapsed() - before;
        }
        let taken = (cpu_time() - began).as_secs_f64();
        let each = virtual_time.as_secs_f64() / f64::from(clusters);
        eprintln!("  {each:.2} s of virtual time, in {:.2?}", wall.elapsed());
        let figure = Figure::new(name, "% of a core", taken / each * 100.0);
        report.add(&match goal {
            Some(goal) => figure.with_goal(Goal::AtMost(goal)),
            None => figure,
        });
    }
    Ok(())
}
