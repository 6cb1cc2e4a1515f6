//! The tables and what the stacks of Diesel share.

use std::net::IpAddr;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::Text;

use super::Failure;

diesel::table! {
    compare_ours (id) {
        id -> BigInt,
    }
}
diesel::table! {
    compare_stock (id) {
        id -> BigInt,
    }
}
diesel::table! {
    compare_other (id) {
        id -> BigInt,
    }
}

/// One for each of the stacks that run at the same time. None has a unique index, which would hide
/// duplicates.
pub(crate) const TABLES: [&str; 3] = ["compare_ours", "compare_stock", "compare_other"];

/// The server's own word on where a statement runs.
pub(super) fn server() -> SqlLiteral<Text> {
    sql("host(inet_server_addr())")
}

pub(super) fn address(text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| Failure {
        read_only: false,
        message: format!("the server says it is at {text:?}"),
    })
}

/// The instance that executed a write, or the failure as the application sees it.
pub(super) fn result(result: Result<String, DieselError>) -> Result<IpAddr, Failure> {
    match result {
        Ok(text) => address(&text),
        Err(error) => Err(Failure {
            // Diesel's name for 25006.
            read_only: matches!(
                error,
                DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)
            ),
            message: error.to_string(),
        }),
    }
}
