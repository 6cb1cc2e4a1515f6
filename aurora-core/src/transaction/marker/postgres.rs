//! Markers in the words of PostgreSQL.

use std::fmt;

use super::{KEEP, MarkerId, MarkerTable};

/// The statement that creates the default table of markers, `public.aurora_transactions`, in
/// PostgreSQL.
///
/// The users that run transactions need `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table.
pub const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS \"public\".\"aurora_transactions\" (\
    id uuid PRIMARY KEY, \
    committed boolean NOT NULL, \
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())";

/// The statements of PostgreSQL. Where the cluster may be one of MySQL, ask the cluster for them:
/// [`Cluster::mark_sql`](crate::Cluster::mark_sql),
/// [`Cluster::create_marker_table`](crate::Cluster::create_marker_table).
impl MarkerTable {
    /// The statement that creates the table if there is none.
    #[must_use]
    pub fn create_sql(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {self} (\
             id uuid PRIMARY KEY, \
             committed boolean NOT NULL, \
             at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())"
        )
    }

    /// What a transaction runs before its COMMIT. One that has written nothing writes no marker
    /// either: it leaves nothing that could be in doubt.
    #[must_use]
    pub fn mark_sql(&self, id: MarkerId) -> String {
        format!(
            "INSERT INTO {self} (id, committed) SELECT '{id}'::pg_catalog.uuid, true \
             WHERE pg_catalog.txid_current_if_assigned() IS NOT NULL"
        )
    }

    /// What resolves a transaction in doubt. It waits for the transaction to end if it still runs,
    /// then gives one row: whether it was committed. If not, it never will be.
    ///
    /// The row that is found is written again, so that the acknowledgement of this statement
    /// promises for the transaction what that of its own COMMIT would have: with synchronous
    /// replication, a row that can be seen need not be replicated yet.
    #[must_use]
    pub fn resolve_sql(&self, id: MarkerId) -> String {
        format!(
            "INSERT INTO {self} AS marker (id, committed) VALUES ('{id}'::pg_catalog.uuid, false) \
             ON CONFLICT (id) DO UPDATE SET committed = marker.committed RETURNING committed"
        )
    }

    /// What removes markers that nobody asks for any more. Waits for nobody.
    #[must_use]
    pub fn prune_sql(&self) -> String {
        format!(
            "DELETE FROM {self} WHERE id IN (SELECT id FROM {self} \
             WHERE at < pg_catalog.clock_timestamp() - interval '{} seconds' \
             FOR UPDATE SKIP LOCKED)",
            KEEP.as_secs()
        )
    }
}

impl fmt::Display for MarkerTable {
    /// The name as it stands in the SQL of PostgreSQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema.as_deref().unwrap_or("public");
        write!(f, "{}.{}", quoted(schema), quoted(&self.table))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
