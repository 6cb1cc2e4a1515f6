//! One run, from the servers' start to the ledger.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, Event, Topology};

use crate::adapters::{self, Adapter};
use crate::ledger::{Entry, reconcile};
use crate::options::Options;
use crate::report::Report;
use crate::score::Score;
use crate::screen::Screen;
use crate::servers::Servers;
use crate::steady::Steady;
use crate::view::View;
use crate::{faults, stage, workload};

type Failed = Box<dyn Error + Send + Sync>;

/// The pause between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// How long the threads may take to end: an operation may wait for a writer for 30 s.
const END_LIMIT: Duration = Duration::from_secs(45);
/// How long the faults may last beyond the load.
const FAULTS_LIMIT: Duration = Duration::from_secs(60);

/// Runs the demo once.
pub(crate) fn run(options: &Options, screen: &mut Screen) -> Result<Report, Failed> {
    screen.line(format!("starting three {} servers on loopback addresses", options.engine.name()));
    let kit = Arc::new(stage::start(options.engine, options.aurora)?);
    screen.line(format!("cluster {}; pgbench's tables, -s {}", shown(&kit.url()), stage::SCALE));
    stage::load(&kit)?;
    let url = kit.url();
    let cluster = Cluster::connect_blocking(Config::from_url(&url)?)?;
    let adapter = adapters::open(options.engine, options.adapter, &cluster, options.threads)?;
    let score = Arc::new(Score::new((0..3).map(|i| (kit.name(i), kit.address(i).0))));

    let listener = listen(&cluster, Arc::clone(&score))?;
    let (sender, ended) = channel();
    for worker in 0..options.threads {
        workload::start(worker, Arc::clone(&adapter), Arc::clone(&score), sender.clone())?;
    }
    drop(sender);
    let faults = faults::start(Arc::clone(&kit), Arc::clone(&score), options.clone())?;
    let title = format!("{}, {} threads", adapter.name(), options.threads);
    let view = View::new(title, options.seconds);
    let watched = watch(options, screen, view, &score, &cluster, &faults);
    score.stop();
    let steady = watched?;
    let (entries, hanging) = collect(&ended, options.threads);
    // It ends within its own timeout and holds nothing that matters any more.
    let _ = listener.join();
    report(&kit, &*adapter, &score, &steady, &entries, hanging)
}

/// Shows the load until its time is over and the faults are done.
fn watch(
    options: &Options,
    screen: &mut Screen,
    mut view: View,
    score: &Score,
    cluster: &Cluster,
    faults: &Receiver<Result<(), Failed>>,
) -> Result<Steady, Failed> {
    let mut steady = Steady::default();
    let mut done = false;
    while !done || score.elapsed() < options.seconds {
        let topology = cluster.topology();
        let reads = score.counts().iter().map(|(reads, _)| *reads).collect();
        steady.look(topology.generation(), &readers(score, &topology), reads);
        view.show(screen, score, &topology);
        match faults.try_recv() {
            Ok(result) => {
                result?;
                done = true;
            }
            Err(TryRecvError::Disconnected) if !done => {
                return Err("the faults' thread died".into());
            }
            Err(TryRecvError::Disconnected | TryRecvError::Empty) => {}
        }
        if score.elapsed() > options.seconds + FAULTS_LIMIT {
            return Err(format!("the faults are not done {FAULTS_LIMIT:?} after the load").into());
        }
        thread::sleep(FRAME);
    }
    view.show(screen, score, &cluster.topology());
    Ok(steady)
}

/// The usable readers, by their place in the score.
fn readers(score: &Score, topology: &Topology) -> Vec<usize> {
    let is_reader = |address| topology.readers().iter().any(|r| r.ip() == Some(address));
    let places = score.places.iter().enumerate();
    places.filter(|(_, place)| is_reader(place.address)).map(|(index, _)| index).collect()
}

/// Writes the cluster's events into the journal until the load ends.
fn listen(cluster: &Cluster, score: Arc<Score>) -> std::io::Result<JoinHandle<()>> {
    let mut events = cluster.events();
    let work = move || {
        while !score.is_stopped() {
            let Some(event) = events.next_timeout(FRAME) else { continue };
            if let Event::WriterChanged { to, .. } = &event {
                score.writer_known(to.is_some());
            }
            score.note(event.to_string());
        }
    };
    thread::Builder::new().name("events".to_owned()).spawn(work)
}

/// The entries of all threads, and how many threads did not end.
fn collect(ended: &Receiver<Vec<Entry>>, threads: u16) -> (Vec<Entry>, u64) {
    let limit = Instant::now() + END_LIMIT;
    let mut entries = Vec::new();
    let mut missing = u64::from(threads);
    while missing > 0 {
        match ended.recv_timeout(limit.saturating_duration_since(Instant::now())) {
            Ok(more) => entries.extend(more),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        missing -= 1;
    }
    (entries, missing)
}

fn report(
    kit: &Servers,
    adapter: &dyn Adapter,
    score: &Score,
    steady: &Steady,
    entries: &[Entry],
    hanging: u64,
) -> Result<Report, Failed> {
    let (found, money) = stage::count(kit)?;
    let name = |index: usize| score.places[index].name.clone();
    let named = |period: Vec<(usize, f64)>| {
        period.into_iter().map(|(index, share)| (name(index), share)).collect()
    };
    let counts = score.counts();
    Ok(Report {
        adapter: adapter.name(),
        verdict: reconcile(entries, &found),
        money,
        reads: counts.iter().map(|(reads, _)| reads).sum(),
        failed_reads: score.failed_reads.load(Relaxed),
        refused_read_only: score.refused_read_only.load(Relaxed),
        refused_after_writer_known: score.refused_after_writer_known.load(Relaxed),
        other_errors: score.other_errors.load(Relaxed),
        hanging,
        reads_by_instance: counts
            .iter()
            .enumerate()
            .map(|(i, (reads, _))| (name(i), *reads))
            .collect(),
        shares: steady.shares().into_iter().map(named).collect(),
        failovers: score.failovers(),
        journal: score.journal_from(0),
    })
}

/// A URL without its password.
fn shown(url: &str) -> String {
    match url.split_once('@') {
        Some((_, rest)) => rest.to_owned(),
        None => url.to_owned(),
    }
}
