//! Markers: rows that say of a transaction that it was committed, or that it never will be.

#[cfg(feature = "mysql")]
mod mysql;
mod postgres;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "mysql")]
pub use self::mysql::CREATE_TABLE_MYSQL;
#[cfg(feature = "mysql")]
pub(crate) use self::mysql::{BATCH, MySqlMarkers};
pub use self::postgres::CREATE_TABLE;
use crate::error::{Error, ErrorKind};

/// How long markers are kept, at least: until then a COMMIT can be resolved by them.
pub const KEEP: Duration = Duration::from_secs(15 * 60);

/// The table of markers.
///
/// `committed` says who wrote a row: the transaction itself, or whoever resolved it and found that
/// it was not committed. Without that, one who resolves twice would take its own row for the
/// transaction's.
///
/// In SQL the name always has its schema: a transaction and its resolver must not find different
/// tables by different search paths, or after a `USE`.
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
pub struct MarkerTable {
    /// `None` is where tables are by default: `public`, in MySQL the database of the URL.
    schema: Option<Arc<str>>,
    table: Arc<str>,
}

impl Default for MarkerTable {
    /// `aurora_transactions`: in PostgreSQL in the schema `public`, in MySQL in the database of the
    /// URL.
    fn default() -> Self {
        Self { schema: None, table: "aurora_transactions".into() }
    }
}

impl MarkerTable {
    /// The table of that name in that schema (MySQL: that database); both exactly as they are,
    /// without quotes.
    #[must_use]
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: Some(schema.into().into()), table: table.into().into() }
    }
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
