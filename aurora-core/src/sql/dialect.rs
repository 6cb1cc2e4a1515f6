//! The dialects of SQL.

use std::fmt;

/// The language a text is written in.
///
/// It follows from the driver that sends the text, not from the server: Amazon Aurora, RDS and the
/// community's servers read the same texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqlDialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB; where they differ, both readings are considered.
    MySql,
}

impl fmt::Display for SqlDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        })
    }
}
