//! Diesel's `MysqlConnection` on a real MariaDB cluster.

mod commits;
mod dropped;
mod errors;
mod failover;
mod ids;
mod routing;
mod stand;
mod tls;
mod transactions;
