//! What `benches/` measures and no application can reach: the engine, and a cluster of any size
//! without servers. No part of the API.

mod life;

use std::sync::Arc;

pub use self::life::Life;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::error::Error;
use crate::topology::Topology;

/// A cluster of `instances` (one of them the writer) of which the topology is known and stays as it
/// is: nobody monitors it.
///
/// # Errors
///
/// When the background runtime cannot be started.
pub fn still_cluster(instances: u16) -> Result<Cluster, Error> {
    Cluster::still(config(instances)?, settled(instances)?)
}

/// A topology of `instances`, all of them online and the readers fresh.
///
/// # Errors
///
/// When the URL is not understood, which would be a bug.
pub fn settled(instances: u16) -> Result<Arc<Topology>, Error> {
    let mut life = Life::begin(instances)?;
    (0..4 * instances).for_each(|_| life.answer());
    Ok(life.topology())
}

/// Lets everybody who looks at `cluster` see `topology`, as the driver does.
pub fn publish(cluster: &Cluster, topology: Arc<Topology>) {
    cluster.publish(topology);
}

/// Loopback addresses at which nobody listens, and nobody asks.
fn config(instances: u16) -> Result<Config, Error> {
    let hosts = (1..=instances).map(|n| format!("127.0.{}.{}:1", n / 250, 1 + n % 250));
    let hosts: Vec<String> = hosts.collect();
    Config::from_url(&format!("postgres://app:secret@{}/shop", hosts.join(",")))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::route::Need;

    #[test]
    fn a_still_cluster_has_a_writer_and_readers_that_are_fresh() {
        for instances in [1, 3, 15, 100] {
            let cluster = still_cluster(instances).unwrap();
            let topology = cluster.snapshot();
            assert_eq!(topology.instances().len(), usize::from(instances));
            assert_eq!(topology.readers().len(), usize::from(instances) - 1);
            let freshest = topology.readers().iter().all(|r| r.fresh_as_of().is_some());
            assert!(freshest, "{topology:?}");
            let read = cluster.route(&topology, Need::Read { fresh_as_of: None });
            assert!(read.is_some() && cluster.route(&topology, Need::Write).is_some());
        }
    }

    #[test]
    fn answers_move_the_snapshot_on_and_change_no_generation() {
        let mut life = Life::begin(3).unwrap();
        (0..12).for_each(|_| life.answer());
        let (generation, fresh) = (life.topology().generation(), freshest(&life.topology()));
        (0..30).for_each(|_| life.answer());
        assert_eq!(life.topology().generation(), generation);
        assert!(freshest(&life.topology()) > fresh);
    }

    fn freshest(topology: &Topology) -> Option<Instant> {
        topology.readers().first().and_then(crate::topology::Instance::fresh_as_of)
    }
}
