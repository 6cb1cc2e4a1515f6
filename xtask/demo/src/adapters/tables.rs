//! pgbench's tables and what the adapters of Diesel share.

use std::net::IpAddr;

use aurora_core::Outcome;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Text;

use super::Failure;

diesel::table! {
    pgbench_accounts (aid) {
        aid -> Integer,
        abalance -> Integer,
    }
}
diesel::table! {
    pgbench_tellers (tid) {
        tid -> Integer,
        tbalance -> Integer,
    }
}
diesel::table! {
    pgbench_branches (bid) {
        bid -> Integer,
        bbalance -> Integer,
    }
}
diesel::table! {
    // pgbench gives the table no key; the demo's identifier of a transfer is in `filler`.
    pgbench_history (filler) {
        tid -> Integer,
        bid -> Integer,
        aid -> Integer,
        delta -> Integer,
        mtime -> Timestamp,
        filler -> Text,
    }
}

/// The server's own word on where a statement runs.
pub(super) fn server() -> SqlLiteral<Text> {
    sql("host(inet_server_addr())")
}

/// The same on MySQL.
pub(super) fn mysql_server() -> SqlLiteral<Text> {
    sql("@@bind_address")
}

/// Where the INSERT before it ran. MySQL has no RETURNING, and an INSERT no place for its instance:
/// ROW_COUNT() has it asked on the connection of the INSERT.
pub(super) fn mysql_inserted() -> SqlLiteral<Text> {
    sql("CONCAT(@@bind_address, LEFT(ROW_COUNT(), 0))")
}

/// What stands for the address when that was not told: that the INSERT is there is certain, whatever
/// becomes of the question.
pub(super) const UNTOLD: &str = "0.0.0.0";

pub(super) fn address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| Failure {
        outcome: Outcome::Applied,
        read_only: false,
        message: format!("the server says it is at {text:?}"),
    })
}

/// A failure as the application sees it.
pub(super) fn failure(error: &DieselError) -> Failure {
    let refused =
        matches!(error, DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
    Failure {
        outcome: aurora_diesel::outcome(error),
        read_only: refused,
        message: error.to_string(),
    }
}
