//! The adapter against clusters of real MariaDB servers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "../both/entities.rs"]
mod entities;
mod failover;
mod ids;
#[path = "../both/ledger.rs"]
mod ledger;
mod registered;
mod replay;
mod routing;
mod sessions;
mod stand;
mod streams;
mod tls;
mod transactions;
