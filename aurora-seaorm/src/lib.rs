#![doc = include_str!("../README.md")]
#![warn(clippy::print_stdout)]

#[cfg(not(any(feature = "mysql", feature = "postgres")))]
compile_error!("enable the feature `postgres`, or `mysql`, or both");

mod attempt;
mod builder;
mod causal;
mod connection;
mod connection_trait;
mod engine;
mod errors;
mod executor;
mod follow;
mod held;
mod inherent;
mod open;
mod pools;
mod register;
mod runner;
#[cfg(feature = "schema-sync")]
mod schema;
mod session;
mod sockets;
mod statement;
mod stream;
mod transaction;

pub use aurora_core::transaction::{MarkerTable, Resolve, RunOptions};
pub use aurora_core::{
    self, CausalToken, Cluster, Config, Error, ErrorKind, Freshness, InstanceId, Outcome, Retry,
    Role,
};
pub use builder::Builder;
pub use connection::AuroraConnection;
pub use errors::{AsDbErr, ClusterError, cause, instance, outcome, retry};
pub use register::{AuroraConnectOptions, ConnectAurora};
pub use stream::AuroraStream;
pub use transaction::AuroraTransaction;
