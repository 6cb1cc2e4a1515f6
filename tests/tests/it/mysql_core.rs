//! The core's view of a MariaDB cluster.

mod connections;
mod errors;
mod freshness;
mod markers;
mod roles;
mod stand;
mod tls;
mod tokens;
