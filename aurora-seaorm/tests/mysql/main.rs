//! The adapter against clusters of real MariaDB servers.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "../both/mod.rs"]
mod both;
mod engine;
mod failover;
mod ids;
mod registered;
mod replay;
mod routing;
mod sessions;
mod streams;
mod tls;
mod transactions;

use self::both::{entities, ledger, stand};
