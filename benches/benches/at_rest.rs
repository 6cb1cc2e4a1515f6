//! What an application pays that does nothing, or little: the monitoring of a cluster at rest,
//! logical connections that nobody uses, and a new physical connection.
//!
//! `cargo bench -p aurora-benches --bench at_rest [-- "at rest"]`

use std::time::{Duration, Instant};

use aurora_benches::{Failure, rounds, servers};
use aurora_counting_allocator::{Counting, counted};
use aurora_diesel::{AuroraConnectionManager, Cluster, Config};
use aurora_measure::{Figure, Goal, Report, compare, threads_time};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use test_kit::PgCluster;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long a cluster is watched doing nothing, and how often: the least counts.
const WATCHED: Duration = Duration::from_secs(8);
const TIMES: u32 = 5;
/// Connections are new, and the instances are not asked together yet.
const SETTLING: Duration = Duration::from_secs(20);
/// What the threads are called that watch.
const MONITOR: &str = "aurora-monitor";
const SESSIONS: u32 = 1000;

fn main() -> Result<(), Failure> {
    let report = Report::from_arguments();
    for instances in [3, 15] {
        at_rest(&report, instances)?;
    }
    let names = ["connect, Diesel", "idle logical connection"];
    if names.iter().all(|name| !report.wants(name)) {
        return Ok(());
    }
    let kit = servers()?;
    connect(&report, &kit)?;
    memory(&report, &kit)
}

/// Processor time and connections of a cluster with ten pools' managers and no statement.
fn at_rest(report: &Report, instances: usize) -> Result<(), Failure> {
    let names = ["processor", "connections per instance"]
        .map(|what| format!("at rest, {instances} instances: {what}"));
    if names.iter().all(|name| !report.wants(name)) {
        return Ok(());
    }
    let kit = PgCluster::builder().instances(instances).start()?;
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let managers = vec![AuroraConnectionManager::<PgConnection>::new(cluster.clone()); 10];
    let known = || cluster.topology().readers().len() == instances - 1;
    if !test_kit::wait_until(Duration::from_secs(60), known) {
        return Err("the readers did not come up".into());
    }
    std::thread::sleep(SETTLING);
    let taken = taken_by(MONITOR);
    let mut most = 0;
    for index in 0..instances {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        most = most.max(kit.superuser(index)?.query_one(count, &[])?.get::<_, i64>(0));
    }
    let bare = bare(&kit, instances, cluster.config().probe_interval())?;
    // 0.1 % of a core is 3.6 s in an hour.
    let hourly = Figure::new(&names[0], "s/hour", taken * 3600.0).beside(bare * 3600.0);
    report.add(&if instances == 15 { hourly.with_goal(Goal::AtMost(3.6)) } else { hourly });
    let most = Figure::new(&names[1], "", f64::from(u32::try_from(most)?));
    report.add(&most.with_goal(Goal::AtMost(1.0)));
    drop(managers);
    Ok(())
}

/// Which part of a core threads of this name take when nothing disturbs them.
fn taken_by(name: &str) -> f64 {
    let watch = || {
        let (began, before) = (Instant::now(), threads_time(name));
        std::thread::sleep(WATCHED);
        (threads_time(name) - before).as_secs_f64() / began.elapsed().as_secs_f64()
    };
    (0..TIMES).map(|_| watch()).fold(f64::INFINITY, f64::min)
}

/// The same of a task that asks all instances at once the least there is to ask, as often as we do,
/// and does nothing with the answers.
fn bare(kit: &PgCluster, instances: usize, interval: Duration) -> Result<f64, Failure> {
    const NAME: &str = "bare-client";
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).thread_name(NAME).enable_all().build()?;
    let urls: Vec<_> = (0..instances).map(|index| kit.instance_url(index)).collect();
    let asks = runtime.spawn(async move {
        let mut clients = Vec::new();
        for url in urls {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            tokio::spawn(connection);
            clients.push(client);
        }
        loop {
            tokio::time::sleep(interval).await;
            let ask = |client: Client| async move {
                let asked = client.simple_query("SELECT pg_is_in_recovery()").await;
                asked.map(|_| client)
            };
            let asking: JoinSet<_> = clients.into_iter().map(ask).collect();
            clients = asking.join_all().await.into_iter().collect::<Result<_, _>>()?;
        }
        #[expect(unreachable_code, reason = "it says what goes wrong above")]
        Ok::<(), tokio_postgres::Error>(())
    });
    std::thread::sleep(interval * 3);
    let taken = taken_by(NAME);
    if asks.is_finished() {
        return Err(format!("the bare clients ended: {:?}", runtime.block_on(asks)).into());
    }
    Ok(taken)
}

/// A new physical connection and its first statement, beside Diesel's own.
fn connect(report: &Report, kit: &PgCluster) -> Result<(), Failure> {
    let name = "connect, Diesel";
    if !report.wants(name) {
        return Ok(());
    }
    // Nothing is kept, and nothing is held back.
    let url = format!("{}?max_idle_per_instance=0&connect_rate=1000000", kit.url());
    let manager = AuroraConnectionManager::<PgConnection>::from_url(&url)?;
    let bare = kit.instance_url(kit.readers()[0]);
    let select = |connection: &mut dyn FnMut(&str) -> QueryResult<()>| {
        connection("SELECT 1").expect("the server answers");
    };
    let found = compare(
        rounds()?,
        3,
        || select(&mut |sql| manager.session().batch_execute(sql)),
        || {
            let mut connection = PgConnection::establish(&bare).expect("a connection");
            select(&mut |sql| connection.batch_execute(sql));
        },
    );
    report.add(&Figure::times(name, ("µs", 1e6), &found));
    Ok(())
}

/// What a session takes that is checked out and has run nothing.
fn memory(report: &Report, kit: &PgCluster) -> Result<(), Failure> {
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    let sync = AuroraConnectionManager::<PgConnection>::new(cluster.clone());
    let asynchronous = aurora_diesel::asynchronous::AuroraConnectionManager::new(cluster.clone());
    let seaorm = aurora_seaorm::AuroraConnection::new(cluster);
    let figures = [
        ("Diesel", bytes_each(|| sync.session())),
        ("diesel-async", bytes_each(|| asynchronous.session())),
        ("SeaORM", bytes_each(|| seaorm.session())),
    ];
    for (adapter, bytes) in figures {
        let name = format!("idle logical connection, {adapter}: memory");
        report.add(&Figure::new(name, "bytes", bytes));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "some hundred kilobytes")]
fn bytes_each<T>(make: impl Fn() -> T) -> f64 {
    drop(make());
    let mut kept = Vec::with_capacity(SESSIONS as usize);
    let ((), allocated) = counted(|| (0..SESSIONS).for_each(|_| kept.push(make())));
    // What they have elsewhere, and the room they take themselves.
    let elsewhere = (allocated.bytes - allocated.freed) as f64 / f64::from(SESSIONS);
    elsewhere + size_of::<T>() as f64
}
