//! The core's view of a MariaDB cluster.

mod roles;
mod stand;
