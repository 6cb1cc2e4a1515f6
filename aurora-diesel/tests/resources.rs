//! What the library takes from the process comes back: threads, sockets, memory.
//!
//! Everything is counted for the whole process, so these tests run one at a time.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
#![cfg(target_os = "linux")]

#[path = "resources/census.rs"]
mod census;
#[path = "resources/dropped.rs"]
mod dropped;
#[path = "resources/failovers.rs"]
mod failovers;
#[path = "resources/many.rs"]
mod many;
