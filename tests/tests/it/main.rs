//! Integration tests against real clusters, which `test_kit` starts and ends.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod credentials;
mod diesel_recovery;
mod diesel_replay;
mod diesel_routing;
mod diesel_sessions;
mod faults;
mod mysql_async;
mod mysql_aurora;
mod mysql_core;
mod mysql_diesel;
mod names;
mod rds;
mod scenarios;
mod startup;
mod store;
mod storms;
mod tls;
mod tls_adapters;
mod topology;
