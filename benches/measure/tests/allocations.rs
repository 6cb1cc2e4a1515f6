//! What is decided about a statement whose verdict is known allocates nothing.

use std::hint::black_box;

use aurora_core::session::Session;
use aurora_core::{Freshness, benching};
use aurora_counting_allocator::{Counting, counted};
use aurora_measure::pure::{decide, pieces, settled_session};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let (_, allocated) = counted(|| black_box(vec![0_u8; 100]));
    assert_eq!((allocated.times, allocated.bytes, allocated.freed), (1, 100, 0));
}

#[test]
fn a_decision_allocates_nothing_in_clusters_of_any_size() {
    for instances in [1, 3, 15, 100] {
        let cluster = benching::still_cluster(instances).unwrap();
        for session in [Session::new(Freshness::Eventual), settled_session(&cluster)] {
            // The first time the verdict is remembered.
            decide(&cluster, &session);
            let (_, allocated) = counted(|| (0..1000).for_each(|_| decide(&cluster, &session)));
            assert_eq!(allocated.times, 0, "{instances} instances, {session:?}");
        }
    }
}

#[test]
fn nothing_on_the_way_of_a_statement_allocates() {
    let mut looked_at = 0;
    for piece in pieces().into_iter().filter(|piece| piece.goal.is_some()) {
        let mut work = piece.begin().unwrap();
        work(10);
        let ((), allocated) = counted(|| work(1000));
        assert_eq!(allocated.times, 0, "{}", piece.name);
        looked_at += 1;
    }
    assert!(looked_at >= 12, "{looked_at}");
}
