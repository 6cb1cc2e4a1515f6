//! A cluster that nobody monitors: what is known of it stays as it is, until it is published anew.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Cluster;
use crate::background::Background;
use crate::config::Config;
use crate::credentials::Keyring;
use crate::error::Error;
use crate::policy;
use crate::topology::Topology;

impl Cluster {
    /// A handle like any other, to a cluster of which `known` is all that is ever known.
    pub(crate) fn still(config: Config, known: Arc<Topology>) -> Result<Self, Error> {
        let policy = policy::of_kind(config.policy());
        let background = Background::shared()?;
        let keyring = Keyring::new(&config, background.handle().clone());
        // What it is told goes nowhere.
        let (commands, _) = mpsc::unbounded_channel();
        let (cluster, _) = Self::assemble(config, policy, background, keyring, known, commands)?;
        Ok(cluster)
    }

    /// Does what the driver does with a snapshot of the engine.
    pub(crate) fn publish(&self, topology: Arc<Topology>) {
        self.0.shared.publish(topology);
    }
}
