//! The tables, the one statement of all stacks, and what its errors mean.

use std::net::IpAddr;

use diesel::QueryableByName;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Text;

use super::Failure;
use crate::options::Engine;

/// One for each of the stacks that run at the same time. None has a unique index, which would hide
/// duplicates.
pub(crate) const TABLES: [&str; 3] = [OURS, STOCK, OTHER];
pub(super) const OURS: &str = "compare_ours";
pub(super) const STOCK: &str = "compare_stock";
pub(super) const OTHER: &str = "compare_other";

/// What MariaDB says with error 1290, of which Diesel keeps the words alone.
const READ_ONLY: &str = "running with the --read-only option";

/// An INSERT that returns the server's own word on where it runs.
pub(super) fn insert(engine: Engine, table: &str) -> String {
    let (parameter, place) = match engine {
        Engine::Postgres => ("$1", "host(inet_server_addr())"),
        Engine::Mysql => ("?", "@@bind_address"),
    };
    format!("INSERT INTO {table} (id) VALUES ({parameter}) RETURNING {place} AS place")
}

/// The same for Diesel and diesel-async, which on MariaDB want to know the columns before the server
/// tells them: there it returns nothing.
pub(super) fn plain_insert(engine: Engine, table: &str) -> String {
    match engine {
        Engine::Postgres => insert(engine, table),
        Engine::Mysql => format!("INSERT INTO {table} (id) VALUES (?)"),
    }
}

/// Tells where such an INSERT has run, if asked on its connection: what tells of the statement before
/// runs nowhere else.
pub(super) const PLACE: &str = "SELECT CONCAT(@@bind_address, LEFT(ROW_COUNT(), 0)) AS place";

/// What it returns.
#[derive(QueryableByName)]
pub(super) struct Placed {
    #[diesel(sql_type = Text)]
    pub(super) place: String,
}

impl Placed {
    /// Acknowledged, and nobody knows by whom: the connection was lost right after it.
    pub(super) fn nowhere() -> Self {
        Self { place: "0.0.0.0".to_owned() }
    }
}

pub(super) fn address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| Failure {
        read_only: false,
        message: format!("the server says it is at {text:?}"),
    })
}

/// The instance that executed a write, or the failure as the application sees it.
pub(super) fn result(result: Result<Placed, DieselError>) -> Result<IpAddr, Failure> {
    match result {
        Ok(placed) => address(&placed.place),
        Err(error) => Err(Failure { read_only: refused(&error), message: error.to_string() }),
    }
}

/// Whether the server refused a statement as read-only: 25006 has a name of Diesel's, 1290 has not.
fn refused(error: &DieselError) -> bool {
    let DieselError::DatabaseError(kind, words) = error else { return false };
    matches!(kind, DatabaseErrorKind::ReadOnlyTransaction) || words.message().contains(READ_ONLY)
}
