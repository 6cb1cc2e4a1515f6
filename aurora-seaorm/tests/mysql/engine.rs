//! What is MariaDB's own.

use sea_orm::DbBackend;
use test_kit::{KitError, MariaDbBuilder, MariaDbCluster};

pub(crate) type Kit = MariaDbCluster;
pub(crate) type Servers = MariaDbBuilder;

pub(crate) const BACKEND: DbBackend = DbBackend::MySql;

/// The definitions of items and notes.
pub(crate) const TABLES: &str = "
    CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(3000) NOT NULL);
    CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, item_id INT NOT NULL,
                        text VARCHAR(255) NOT NULL)";

/// Writes into the ledger.
pub(crate) const INSERT_ID: &str = "INSERT INTO ledger (id) VALUES (?)";

/// All that is in the ledger, in one text.
pub(crate) const ALL_IDS: &str = "SET SESSION group_concat_max_len = 1 << 30; \
                                  SELECT COALESCE(GROUP_CONCAT(id SEPARATOR ','), '') FROM ledger";

/// The name of the instance that a statement met.
pub(crate) const SERVER: &str = "SELECT CONCAT(@@bind_address, ':', @@port)";

/// Servers on which a commit waits until a reader has received it.
pub(crate) fn servers(instances: usize) -> Servers {
    MariaDbCluster::builder().instances(instances)
}

/// Runs SQL on the writer, and waits until every reader shows it.
pub(crate) fn seed(kit: &Kit, sql: &str) -> Result<(), KitError> {
    kit.superuser(kit.writer())?.run(sql)?;
    kit.await_readers()
}

/// What the server says: one text.
pub(crate) fn ask(kit: &Kit, index: usize, sql: &str) -> Result<String, KitError> {
    Ok(kit.superuser(index)?.column(sql)?.remove(0))
}
