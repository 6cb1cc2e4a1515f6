//! What holds for lives as such.

use std::sync::Barrier;
use std::thread;

/// How many clusters there are in one process.
const CLUSTERS: u64 = 50;

/// Of how many of them the whole life is compared.
const COMPARED: u64 = 5;

#[test]
fn fifty_clusters_in_one_process_do_not_disturb_each_other() {
    let begin = Barrier::new(CLUSTERS as usize);
    let live = |seed| {
        begin.wait();
        super::run(seed, seed < COMPARED)
    };
    let live = &live;
    let together = thread::scope(|scope| {
        let lives: Vec<_> = (0..CLUSTERS).map(|seed| scope.spawn(move || live(seed))).collect();
        lives.into_iter().map(|life| life.join().unwrap()).collect::<Vec<_>>()
    });
    for report in &together {
        assert!(report.violations.is_empty(), "seed {}: {:?}", report.seed, report.violations);
    }
    for seed in 0..COMPARED {
        let alone = super::run(seed, true);
        let beside = &together[seed as usize];
        assert_eq!((alone.seed, alone.checks), (beside.seed, beside.checks));
        assert!(alone.trace.len() > 100);
        assert_eq!(alone.trace, beside.trace);
    }
}

#[test]
fn a_panic_is_a_violation_of_its_seed() {
    let report = super::lived(7, false, |_| panic!("a bug"));
    assert_eq!((report.seed, report.violations), (7, vec!["a panic: a bug".to_owned()]));
}
