//! What servers answer, in the words of one engine.

use aurora_core::Family;
use sea_orm::{ExecResult, QueryResult};

/// A row of one of the engines.
#[derive(Debug)]
pub(crate) enum Row {
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

impl From<Row> for QueryResult {
    fn from(row: Row) -> Self {
        match row {
            #[cfg(feature = "mysql")]
            Row::MySql(row) => row.into(),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => row.into(),
        }
    }
}

/// What a statement without rows has done.
#[derive(Debug)]
pub(crate) enum Done {
    #[cfg(feature = "mysql")]
    MySql(sqlx::mysql::MySqlQueryResult),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgQueryResult),
}

impl Done {
    /// Nothing, said in the words of that family.
    #[cfg(all(feature = "mysql", feature = "postgres"))]
    pub(crate) fn nothing(family: Family) -> Self {
        match family {
            Family::MySql => Self::MySql(Default::default()),
            _ => Self::Postgres(Default::default()),
        }
    }

    /// Nothing, said in the only words there are.
    #[cfg(not(feature = "postgres"))]
    pub(crate) fn nothing(_: Family) -> Self {
        Self::MySql(Default::default())
    }

    /// Nothing, said in the only words there are.
    #[cfg(not(feature = "mysql"))]
    pub(crate) fn nothing(_: Family) -> Self {
        Self::Postgres(Default::default())
    }

    /// The number that the statement gave to the row that it inserted, if it did.
    pub(crate) fn insert_id(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(done) => Some(done.last_insert_id()).filter(|id| *id != 0),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }
}

impl From<Done> for ExecResult {
    fn from(done: Done) -> Self {
        match done {
            #[cfg(feature = "mysql")]
            Done::MySql(done) => done.into(),
            #[cfg(feature = "postgres")]
            Done::Postgres(done) => done.into(),
        }
    }
}
