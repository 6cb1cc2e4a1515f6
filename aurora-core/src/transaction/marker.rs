//! Markers: rows that say of a transaction that it was committed, or that it never will be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How long markers are kept, at least: until then a COMMIT can be resolved by them.
pub const KEEP: Duration = Duration::from_secs(15 * 60);

/// The statement that creates the default table of markers, `public.aurora_transactions`.
///
/// The users that run transactions need `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table.
pub const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS \"public\".\"aurora_transactions\" (\
    id uuid PRIMARY KEY, \
    committed boolean NOT NULL, \
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())";

/// The table of markers.
///
/// `committed` says who wrote a row: the transaction itself, or whoever resolved it and found that
/// it was not committed. Without that, one who resolves twice would take its own row for the
/// transaction's.
///
/// The name always has its schema: a transaction and its resolver must not find different tables
/// by different search paths.
///
/// # Examples
///
/// ```
/// use aurora_core::transaction::{CREATE_TABLE, MarkerTable};
///
/// assert_eq!(MarkerTable::default().create_sql(), CREATE_TABLE);
/// assert_eq!(MarkerTable::new("app", "markers").to_string(), r#""app"."markers""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MarkerTable(Arc<str>);

impl Default for MarkerTable {
    /// `public.aurora_transactions`.
    fn default() -> Self {
        Self::new("public", "aurora_transactions")
    }
}

impl MarkerTable {
    /// The table of that name in that schema; both exactly as they are, without quotes.
    #[must_use]
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self(format!("{}.{}", quoted(&schema.into()), quoted(&table.into())).into())
    }

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
    /// The name as it stands in SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The unique key of a marker: a random (version 4) UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkerId([u8; 16]);

impl MarkerId {
    /// A new one, from the generator that TLS uses: no two processes ever share one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the operating system has no randomness to give.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        let source = crate::crypto::provider().secure_random;
        source.fill(&mut bytes).map_err(|_| {
            Error::new(ErrorKind::Configuration, "the operating system gives no random numbers")
        })?;
        Ok(Self::of(bytes))
    }

    /// RFC 9562, 5.4: six bits tell the version and the variant.
    pub(super) fn of(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for MarkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
