//! All targets without a fuzzer: inputs that are kept, and inputs of a seeded generator.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::{TARGETS, Target};

/// How many inputs are made for each target: about a second without optimisation.
const MADE: u64 = 3000;

/// The longest input that is made.
const LONGEST: usize = 400;

fn seeds(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target.name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|e| panic!("{directory:?}: {e}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs one input, and tells where it comes from if it fails.
fn run(target: Target, data: &[u8], from: &dyn std::fmt::Debug) {
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    assert!(result.is_ok(), "target {}, input {from:?}: {data:?}", target.name);
}

/// A seed with some bytes changed, put in, taken out, or copied from another one.
fn made(rng: &mut fastrand::Rng, seeds: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let any = |rng: &mut fastrand::Rng| seeds[rng.usize(..seeds.len())].1.clone();
    let mut data = match rng.u8(..4) {
        0 => (0..rng.usize(..LONGEST)).map(|_| rng.u8(..)).collect(),
        _ => any(rng),
    };
    for _ in 0..rng.u8(1..6) {
        let at = rng.usize(..=data.len());
        match rng.u8(..4) {
            0 => data.insert(at, rng.u8(..)),
            1 if at < data.len() => data[at] = rng.u8(..),
            2 if at < data.len() => drop(data.remove(at)),
            _ => {
                let other = any(rng);
                let from = rng.usize(..=other.len());
                data.splice(at..at, other[from..].iter().copied());
            }
        }
    }
    data.truncate(LONGEST);
    data
}

fn fuzz(name: &str) {
    let target = *TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = seeds(target);
    assert!(seeds.len() >= 4, "{name}: too few seeds");
    for (path, data) in &seeds {
        run(target, data, path);
    }
    let base = u64::from(fastrand::u32(..));
    for seed in base..base + MADE {
        let data = made(&mut fastrand::Rng::with_seed(seed), &seeds);
        run(target, &data, &seed);
    }
}

#[test]
fn endpoints() {
    fuzz("endpoints");
}

#[test]
fn engine() {
    fuzz("engine");
}

#[test]
fn rows() {
    fuzz("rows");
}

#[test]
fn statements() {
    fuzz("statements");
}

#[test]
fn urls() {
    fuzz("urls");
}

/// A target whose findings nobody notices would be of no use.
#[test]
fn a_broken_rule_is_a_finding() {
    let broken = Target::new("broken", |data| assert_ne!(data, b"x"));
    run(broken, b"y", &"good");
    assert!(catch_unwind(|| run(broken, b"x", &"bad")).is_err());
}
