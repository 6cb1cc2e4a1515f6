#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout)]

mod connection;
mod errors;
mod instrument;
mod intent;
mod lease;
mod manager;
#[cfg(feature = "postgres")]
mod postgres;
mod recover;
mod transaction;

pub use aurora_core::{self, Cluster, Config, Freshness, Outcome, Retry};
pub use connection::AuroraConnection;
pub use errors::{instance, outcome, retry};
pub use manager::{AuroraConnectionManager, Physical};
