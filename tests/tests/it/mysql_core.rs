//! The core's view of a MariaDB cluster.

mod freshness;
mod roles;
mod stand;
