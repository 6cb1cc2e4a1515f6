//! What an application notices of a failover: when its first write gets through, how many connects
//! fail meanwhile, and how soon a crowd is served that has waited.
//!
//! `cargo bench -p aurora-benches --bench after_failover [-- bb8]`

mod crowd;
mod doors;
mod faults;

use aurora_benches::Failure;
use aurora_diesel::{Cluster, Config};
use aurora_measure::Report;
use test_kit::PgCluster;

use doors::Write;

/// Opens the pool of an adapter, of that many connections.
type Open = fn(&Cluster, u32) -> Result<Write, Failure>;

const DOORS: [(&str, Open); 3] =
    [("Diesel and r2d2", doors::diesel), ("bb8", doors::bb8), ("SeaORM", doors::seaorm)];

fn main() -> Result<(), Failure> {
    let report = Report::from_arguments();
    let wanted = |name: &(&str, Open)| faults::names(name.0).iter().any(|n| report.wants(n));
    let doors: Vec<_> = DOORS.into_iter().filter(wanted).collect();
    if !doors.is_empty() {
        let kit = servers(PgCluster::builder())?;
        for (name, open) in doors {
            faults::measure(&report, name, &kit, open)?;
        }
    }
    let wanted = |name: &(&str, Open)| crowd::names(name.0).iter().any(|n| report.wants(n));
    let doors: Vec<_> = DOORS.into_iter().filter(wanted).collect();
    if !doors.is_empty() {
        let kit = servers(PgCluster::builder().behind_proxies().setting("max_connections", "700"))?;
        for (name, open) in doors {
            let cluster = connect(&kit)?;
            crowd::measure(&report, name, &kit, &cluster, &open(&cluster, crowd::WAITERS)?)?;
            cluster.close();
        }
    }
    Ok(())
}

/// Three instances and the table that is written to.
fn servers(builder: test_kit::Builder) -> Result<PgCluster, Failure> {
    let kit = builder.instances(3).start()?;
    let table = "CREATE TABLE events (id serial PRIMARY KEY, item integer NOT NULL)";
    kit.client(kit.writer())?.batch_execute(table)?;
    Ok(kit)
}

/// The library, connected to all instances at its default settings.
fn connect(kit: &PgCluster) -> Result<Cluster, Failure> {
    let cluster = Cluster::connect_blocking(Config::from_url(&kit.url())?)?;
    settled(kit, &cluster)?;
    Ok(cluster)
}

/// Waits until the library has all instances in use, and the writer right.
fn settled(kit: &PgCluster, cluster: &Cluster) -> Result<(), Failure> {
    let is_settled = || {
        let topology = cluster.topology();
        let writer = kit.name(kit.writer());
        topology.writer().is_some_and(|known| known.id().as_str() == writer)
            && topology.readers().len() + 1 == kit.len()
    };
    if test_kit::wait_until(std::time::Duration::from_secs(60), is_settled) {
        return Ok(());
    }
    Err(format!("not all instances are in use: {:#?}", cluster.topology()).into())
}
