//! What an operator does with one instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cluster;
use crate::engine::Input;
use crate::error::{Error, ErrorKind};
use crate::topology::{InstanceId, Topology};

/// One instance of a [`Cluster`], as an operator sees it.
#[derive(Clone, Debug)]
pub struct InstanceHandle<'a> {
    cluster: &'a Cluster,
    id: InstanceId,
}

impl<'a> InstanceHandle<'a> {
    pub(super) fn new(cluster: &'a Cluster, id: InstanceId) -> Self {
        Self { cluster, id }
    }

    /// Takes the instance out of use: no new statement is sent to it until
    /// [`InstanceHandle::bring_online`]. Statements and transactions under way end undisturbed.
    ///
    /// Writes wait while the writer is out of use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownInstance`] when the cluster has no instance of that name.
    pub fn take_offline(&self) -> Result<(), Error> {
        self.set_online(false)
    }

    /// Brings the instance back into use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownInstance`] when the cluster has no instance of that name.
    pub fn bring_online(&self) -> Result<(), Error> {
        self.set_online(true)
    }

    /// Waits until the change is in force, so that the next statement sees it.
    fn set_online(&self, online: bool) -> Result<(), Error> {
        let cluster = self.cluster;
        let topology = cluster.topology();
        if topology.instance(&self.id).is_none() {
            return Err(self.unknown(&topology));
        }
        let instance = self.id.clone();
        cluster.0.shared.tell(Input::SetOnline { instance, online });
        let done = |topology: &Arc<Topology>| match topology.instance(&self.id) {
            Some(instance) => (instance.is_online() == online).then_some(true),
            None => Some(false),
        };
        match cluster.wait_blocking(cluster.moved(), Instant::now() + Duration::from_secs(1), done)
        {
            Some(true) => Ok(()),
            Some(false) => Err(self.unknown(&cluster.topology())),
            None => Err(Error::new(ErrorKind::Closed, "the cluster handle was closed")),
        }
    }

    fn unknown(&self, topology: &Topology) -> Error {
        let known: Vec<_> = topology.instances().iter().map(|i| i.id().as_str()).collect();
        let message =
            format!("no instance {} in the cluster; there are: {}", self.id, known.join(", "));
        Error::new(ErrorKind::UnknownInstance, message)
    }
}
