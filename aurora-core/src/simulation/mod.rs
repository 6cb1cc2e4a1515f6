//! The seeded simulation: the production engine, router, sessions and connection store against a
//! model of a cluster, in virtual time.
//!
//! One seed makes one life of a cluster: what it is like, what goes wrong with it and when, and
//! what its clients do. Every step is shown to the invariants (`invariants/`, one file each). The
//! same seed always makes the same life, so a violation is replayed with its seed.
//!
//! What runs is the real thing: `Engine`, `route` and the policies,
//! [`Session`](crate::session::Session) and [`Recovery`](crate::session::Recovery),
//! [`Store`](crate::Store) and the classification of statements. What is modelled: servers with
//! logs and replication (`server.rs`, `replication.rs`, `backend.rs`), their operator
//! (`operator.rs`), the network and names (`network.rs`), monitors (`monitor.rs`, with the tries
//! of the real ones), and the steps of the adapters (`client.rs`, `connect.rs` and
//! `recover.rs`, after the files of `aurora-diesel`).
//!
//! What is modelled, and where, stands in `tests/sim/README.md`, with the invariants.
//!
//! The adapters' steps differ from the real ones in this: a statement is counted as in flight when
//! it ends, not while it runs; and statements never are rendered, as they all are texts.

mod backend;
mod client;
mod connect;
mod driver;
mod faults;
mod invariants;
mod log;
mod monitor;
mod network;
mod operator;
mod outcome;
mod queue;
mod recover;
mod replication;
mod server;
mod setup;
mod swarm;
#[cfg(test)]
mod tests;
mod tokens;
mod trace;
mod wire;
mod workload;
mod world;

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// What came of one seed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How much virtual time passed.
    pub simulated: Duration,
    /// How many faults were injected.
    pub faults: u64,
    /// How many instances were promoted to be the writer.
    pub failovers: u64,
    /// How many writes were acknowledged.
    pub acknowledged: u64,
    /// How often an invariant was checked.
    pub checks: u64,
    /// What was violated, with the name of the invariant and the moment. Empty is good.
    pub violations: Vec<String>,
    /// What happened, a line each, if it was asked for.
    pub trace: Vec<String>,
}

/// Lives one seed; with `traced`, tells all that happens.
///
/// # Examples
///
/// ```
/// let report = aurora_core::simulation::run(1, false);
/// assert!(report.violations.is_empty(), "{report:?}");
/// ```
#[must_use]
pub fn run(seed: u64, traced: bool) -> Report {
    lived(seed, traced, world::World::live)
}

/// What came of a life, also of one that ended in a panic.
fn lived(seed: u64, traced: bool, live: impl FnOnce(&mut world::World)) -> Report {
    // Policies draw from the generator of the thread.
    fastrand::seed(seed);
    let mut world = world::World::new(seed, traced);
    let end = panic::catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    let mut report = world.report(seed);
    if let Err(panicked) = end {
        report.violations.push(format!("a panic: {}", crate::panic::message(&*panicked)));
    }
    report
}
