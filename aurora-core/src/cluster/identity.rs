//! Does a new connection lead to this cluster at all?

use super::Cluster;
use crate::engine::Complaint;
use crate::error::{Error, ErrorKind, Outcome};
use crate::topology::Instance;

/// What adapters ask of every new connection.
impl Cluster {
    /// An SQL expression of type `text` to ask for on a new connection, beside the role: which
    /// cluster the server belongs to. NULL where that is unknown.
    ///
    /// The address was verified by the monitor, but what is behind an address may be moved for new
    /// connections alone: by a load balancer, a virtual address, a translation of addresses.
    #[must_use]
    pub fn identity_sql(&self) -> &'static str {
        // The monitor may ask, so every session of the user may, unless it takes another role.
        let is_known = self.snapshot().cluster().is_some();
        if is_known && !self.config().options().to_ascii_lowercase().contains("role") {
            "(SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system())"
        } else {
            "NULL::pg_catalog.text"
        }
    }

    /// Checks the answer to [`Cluster::identity_sql`] on a connection to `instance`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongCluster`] when it is another cluster's; nothing was applied.
    pub fn check_identity(&self, instance: &Instance, identity: Option<&str>) -> Result<(), Error> {
        let topology = self.snapshot();
        let (Some(ours), Some(theirs)) = (topology.cluster(), identity) else { return Ok(()) };
        if ours == theirs {
            return Ok(());
        }
        let address = instance.address();
        // The monitor shall see it, too.
        self.0.names.doubt(address);
        self.complain(instance.id(), instance.epoch(), Complaint::WrongRole, "another cluster");
        let text = format!(
            "a new connection to {address} leads to another cluster (system identifier {theirs}, expected {ours}); check what is behind that address"
        );
        Err(Error::new(ErrorKind::WrongCluster, text)
            .with_outcome(Outcome::NotApplied)
            .on(instance.id()))
    }
}
