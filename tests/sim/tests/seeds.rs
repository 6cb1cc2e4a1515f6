//! Lives the pinned seeds, and some that nobody has lived before.

/// How many fresh seeds each run lives: a few seconds without optimisation.
const FRESH: u64 = 24;

fn live(seeds: &[u64]) {
    let summary = aurora_sim::run(seeds, |_| ());
    let told = summary.violations().iter();
    let told: Vec<String> =
        told.map(|(seed, what)| format!("{what}\n    {}", aurora_sim::replay(*seed))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert_eq!(summary.seeds(), seeds.len() as u64);
    assert!(summary.checks() > 100 * summary.seeds(), "{summary:?}");
}

#[test]
fn pinned_seeds() {
    let pinned = aurora_sim::pinned().unwrap();
    assert!(!pinned.is_empty());
    live(&pinned.iter().map(|pinned| pinned.seed).collect::<Vec<_>>());
}

#[test]
fn fresh_seeds() {
    let base = u64::from(fastrand::u32(..));
    println!("fresh seeds from {base} on");
    live(&(0..FRESH).map(|n| base + n).collect::<Vec<_>>());
}

#[test]
fn a_seed_makes_one_and_the_same_life() {
    let live = || aurora_core::simulation::run(11, true);
    let (one, other) = (live(), live());
    assert_eq!(one.trace, other.trace);
    assert!(one.trace.len() > 100);
    assert_eq!(one.checks, other.checks);
}
