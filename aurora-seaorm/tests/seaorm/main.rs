//! The adapter against clusters of real PostgreSQL servers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod failover;
mod identity;
mod inherent;
mod ledger;
mod registered;
mod replay;
mod routing;
mod schema;
mod sessions;
mod stand;
mod storms;
mod streams;
mod tls;
mod transactions;
