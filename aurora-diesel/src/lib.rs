#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout)]

#[cfg(feature = "async-postgres")]
pub mod asynchronous;
#[cfg(feature = "postgres")]
mod connection;
mod errors;
#[cfg(feature = "postgres")]
mod fresh;
mod instrument;
mod intent;
#[cfg(feature = "postgres")]
mod lease;
#[cfg(feature = "postgres")]
mod manager;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod recover;
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
mod replay;
#[cfg(feature = "postgres")]
mod run_transaction;
#[cfg(feature = "postgres")]
mod transaction;

pub use aurora_core::transaction::{MarkerTable, Resolve, RunOptions};
pub use aurora_core::{self, CausalToken, Cluster, Config, Freshness, Outcome, Retry};
#[cfg(feature = "postgres")]
pub use connection::AuroraConnection;
pub use errors::{instance, outcome, retry};
#[cfg(feature = "postgres")]
pub use manager::{AuroraConnectionManager, Physical};
