//! Topology, failover, monitoring, routing and status of a replicated SQL cluster.
//!
//! This crate knows everything about clusters and nothing about an ORM; `aurora-diesel` and
//! `aurora-seaorm` install it as the connection manager of theirs. In reading order:
//!
//! 1. [`Config`]: what to connect to and how.
//! 2. [`Cluster`]: the handle an application holds.
//! 3. [`Topology`] and [`Instance`]: who is in the cluster, as an immutable snapshot.
//! 4. [`Need`], [`Policy`]: where a statement goes.
//! 5. [`Event`], [`Status`]: what happened, and how things are.
//! 6. [`Error`], [`Outcome`], [`Retry`]: what went wrong, and what to do about it.

#![warn(clippy::print_stdout)]

mod background;
#[cfg(any(test, feature = "benching"))]
#[doc(hidden)]
pub mod benching;
mod cluster;
mod config;
mod credentials;
mod crypto;
mod dialect;
mod driver;
mod endpoint;
mod engine;
mod error;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod monitor;
#[cfg(feature = "mysql")]
mod mysql_client;
mod names;
mod own_line;
mod panic;
mod policy;
mod postgres_client;
mod probe;
mod ramp;
mod rds;
mod route;
pub mod session;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
mod socket;
#[cfg(test)]
mod spec;
pub mod sql;
mod startup;
mod stats;
mod status;
mod store;
mod token;
mod topology;
pub mod transaction;

pub use cluster::{Cluster, Deadline, InstanceHandle, Turn};
pub use config::{
    Address, AuthMethod, Config, ConfigBuilder, DialectChoice, Family, Freshness, PolicyKind,
    RootCertificates, Secret, TlsMode, UnknownFunctions,
};
#[cfg(feature = "iam")]
pub use credentials::IamTokens;
#[cfg(feature = "secrets-manager")]
pub use credentials::SecretsManager;
pub use credentials::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, CredentialsScope,
    Login, Providing,
};
pub use endpoint::{Endpoint, EndpointKind, HostPattern};
pub use engine::Complaint;
pub use error::{Error, ErrorKind, Outcome, Retry};
pub use event::{Event, Events};
pub use gate::Permit;
pub use names::{Resolve, Resolving};
pub use policy::{Candidates, LeastConnections, Policy, Random, RoundRobin};
pub use postgres_client::PostgresDriver;
pub use route::{Because, Need};
pub use socket::OwnSocket;
pub use stats::{InFlight, InstanceStats};
pub use status::{Explanation, InstanceStatus, Status};
pub use store::{Lease, Store};
pub use token::CausalToken;
pub use topology::{Health, Instance, InstanceId, Role, Topology};
