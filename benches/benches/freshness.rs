//! What reading one's own writes costs on the way of a statement: the decision where it goes, in a
//! session that has written and requires that, beside one that requires nothing.
//!
//! `cargo bench -p aurora-benches --bench freshness`. With a level (`eventual`, `session`) and a
//! number it makes that many decisions and nothing else, to count instructions:
//! `valgrind --tool=callgrind <the program> session 100000`, less the same with `0`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aurora_diesel::aurora_core::session::Session;
use aurora_diesel::{Cluster, Config, Freshness};
use aurora_measure::{Figure, Report, compare_by, cpu_time};

const ROUNDS: usize = 41;
const OPERATIONS: u32 = 100_000;
const SQL: &str = "SELECT name FROM items WHERE id = $1";
/// How long readers may take to have come as far as a write of just now.
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (report, name) = (Report::from_arguments(), "a decision, session beside eventual");
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let counts = arguments.len() == 2;
    if !counts && !report.wants(name) {
        return Ok(());
    }
    let kit = test_kit::PgCluster::builder().instances(3).start()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let eventual = Session::new(Freshness::Eventual);
    let session = session_that_wrote(&cluster)?;
    if let [level, count] = arguments.as_slice() {
        let session = if level == "session" { session } else { eventual };
        decide(&cluster, &session, count.parse()?);
        return Ok(());
    }
    let found = compare_by(
        cpu_time,
        ROUNDS,
        1,
        || decide(&cluster, &session, OPERATIONS),
        || decide(&cluster, &eventual, OPERATIONS),
    );
    report.add(&Figure::times(name, ("ns", 1e9), &found.divided_by(OPERATIONS)));
    Ok(())
}

/// A session that has written, once a reader is known to show it, and that has read from it.
fn session_that_wrote(cluster: &Cluster) -> Result<Session, Box<dyn std::error::Error>> {
    let (mut session, wrote) = (Session::new(Freshness::Session), Instant::now());
    session.wrote(wrote);
    while wrote.elapsed() < LIMIT {
        let topology = cluster.topology();
        if let [reader, ..] = topology.readers_fresh_as_of(wrote) {
            session.settle(reader.id(), reader.role());
            return Ok(session);
        }
        std::thread::yield_now();
    }
    Err("no reader came as far".into())
}

fn decide(cluster: &Cluster, session: &Session, count: u32) {
    let classification = cluster.classify(SQL);
    for _ in 0..count {
        let need = black_box(session).need(&classification, None, Instant::now);
        let topology = cluster.snapshot();
        black_box(cluster.route_staying(&topology, need, session.reader()));
    }
}
