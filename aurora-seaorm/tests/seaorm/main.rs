//! The adapter against clusters of real PostgreSQL servers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "../both/mod.rs"]
mod both;
mod engine;
mod failover;
mod identity;
mod inherent;
mod registered;
mod replay;
mod routing;
mod schema;
mod sessions;
mod storms;
mod streams;
mod tls;
mod transactions;

use self::both::{entities, ledger, stand};
