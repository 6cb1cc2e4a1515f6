//! The adapter against clusters of real PostgreSQL servers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "../both/entities.rs"]
mod entities;
mod failover;
mod identity;
mod inherent;
#[path = "../both/ledger.rs"]
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
