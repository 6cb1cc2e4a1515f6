//! What only the asynchronous sessions have, against real clusters; what all adapters have is in
//! `tests/`.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

#[path = "asynchronous/dropped.rs"]
mod dropped;
#[path = "asynchronous/errors.rs"]
mod errors;
#[path = "asynchronous/failover.rs"]
mod failover;
#[path = "asynchronous/ledger.rs"]
mod ledger;
#[path = "asynchronous/pools.rs"]
mod pools;
#[path = "asynchronous/replay.rs"]
mod replay;
#[path = "asynchronous/routing.rs"]
mod routing;
#[path = "asynchronous/stand.rs"]
mod stand;
#[path = "asynchronous/storms.rs"]
mod storms;
#[path = "asynchronous/tls.rs"]
mod tls;
#[path = "asynchronous/transactions.rs"]
mod transactions;
