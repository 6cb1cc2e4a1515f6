//! The core's view of a MariaDB cluster.

mod connections;
mod errors;
mod faults;
mod freshness;
mod markers;
mod roles;
pub(crate) mod stand;
pub(crate) mod tls;
mod tokens;
