#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout)]

#[cfg(any(feature = "async-postgres", feature = "async-mysql"))]
pub mod asynchronous;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod connection;
mod errors;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod fresh;
mod instrument;
mod intent;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod lease;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod manager;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod once;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod recover;
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "async-postgres",
    feature = "async-mysql"
))]
mod replay;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod roots;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod run_transaction;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod socket;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod transaction;

pub use aurora_core::transaction::{MarkerTable, Resolve, RunOptions};
pub use aurora_core::{self, CausalToken, Cluster, Config, Freshness, Outcome, Retry};
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub use connection::AuroraConnection;
pub use errors::{instance, outcome, retry};
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub use manager::{AuroraConnectionManager, Physical};
#[cfg(feature = "mysql")]
pub use mysql::TransactionBuilder as MysqlTransactionBuilder;
