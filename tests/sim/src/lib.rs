//! Runs the simulation of `aurora-core` over many seeds, and adds up what came of them.

mod pinned;
mod summary;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

pub use self::pinned::{Pinned, pinned};
pub use self::summary::Summary;

/// How many seeds that violate something are kept; then there is enough to look at.
const ENOUGH: usize = 20;

/// Lives `seeds`, on all processors; `progress` is called after each with how many are done.
/// A panic, of the engine or of the model, is a violation of its seed.
#[must_use]
pub fn run(seeds: &[u64], progress: impl Fn(u64) + Sync) -> Summary {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let index = next.fetch_add(1, Relaxed);
            let seed = usize::try_from(index).ok().and_then(|index| seeds.get(index));
            let Some(seed) = seed else { return };
            let report = aurora_core::simulation::run(*seed, false);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.add(report);
            if summary.violations().len() >= ENOUGH {
                next.fetch_max(seeds.len() as u64, Relaxed);
            }
            progress(summary.seeds());
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The command that lives a seed again and tells what happens.
#[must_use]
pub fn replay(seed: u64) -> String {
    format!("cargo xtask sim --seed {seed} --trace")
}
