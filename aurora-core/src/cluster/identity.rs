//! Does a new connection lead to this cluster at all?

use super::Cluster;
use crate::config::Family;
use crate::engine::Complaint;
use crate::error::{Error, ErrorKind, Outcome};
use crate::topology::Instance;

/// The group's name in MySQL, the number of the GTID domain in MariaDB: each skips the other's
/// comment.
const MYSQL_IDENTITY: &str = "CONCAT(/*!80000 @@GLOBAL.group_replication_group_name */ \
     /*M! NULLIF(@@GLOBAL.gtid_domain_id, 0) */)";

/// MariaDB has no `super_read_only`, and calls `transaction_read_only` otherwise before 11.1.
const MYSQL_WRITES: &str = "CONCAT(@@GLOBAL.read_only) IN ('0', 'OFF') \
     AND @@GLOBAL.innodb_read_only = 0 /*!50720 AND @@GLOBAL.super_read_only = 0 \
     AND @@GLOBAL.transaction_read_only = 0 */ /*M! AND @@GLOBAL.tx_read_only = 0 */";

/// What adapters ask of every new connection.
impl Cluster {
    /// An SQL expression of type `text` to ask for on a new connection, beside the role: which
    /// cluster the server belongs to. NULL where that is unknown.
    ///
    /// The address was verified by the monitor, but what is behind an address may be moved for new
    /// connections alone: by a load balancer, a virtual address, a translation of addresses.
    #[must_use]
    pub fn identity_sql(&self) -> &'static str {
        match self.config().family() {
            Family::Postgres => self.postgres_identity(),
            Family::MySql if self.snapshot().cluster().is_some() => MYSQL_IDENTITY,
            Family::MySql => "NULL",
        }
    }

    /// What to ask on a new connection to MySQL or MariaDB: one row of two columns, whether the
    /// server takes writes (1 or 0), and [`Cluster::identity_sql`].
    ///
    /// Aurora's word is `innodb_read_only` alone, for a parameter group may set `read_only` on a
    /// writer. Elsewhere no switch may forbid writes. That the instance replicates from nobody is
    /// known by the monitor alone.
    #[must_use]
    pub fn mysql_proof_sql(&self) -> String {
        let writes = match self.0.dialect.get() {
            Some(&"aurora-mysql") => "@@GLOBAL.innodb_read_only = 0",
            Some(_) | None => MYSQL_WRITES,
        };
        format!("SELECT {writes}, {}", self.identity_sql())
    }

    fn postgres_identity(&self) -> &'static str {
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
