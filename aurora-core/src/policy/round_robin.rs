use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Candidates, Policy};
use crate::own_line::OwnLine;
use crate::topology::Instance;

/// As many threads take turns apart from each other; more share.
const STRIPES: usize = 16;

/// One candidate after the other. The default.
///
/// The turn is taken by name, not by place: candidates stand freshest first, and their places
/// change with every measurement.
///
/// Threads take turns apart from each other, each beginning one candidate further: a counter that
/// all of them write is dearer than all the rest of a decision.
#[derive(Debug, Default)]
pub struct RoundRobin {
    stripes: [OwnLine<AtomicUsize>; STRIPES],
    /// The number of the thread that asked first: counted from there, what one thread alone is told
    /// does not depend on what else the process did before.
    first: OnceLock<usize>,
}

impl RoundRobin {
    fn next(&self) -> usize {
        let thread = thread_number();
        let stripe = thread.wrapping_sub(*self.first.get_or_init(|| thread)) % STRIPES;
        self.stripes[stripe].fetch_add(1, Relaxed).wrapping_add(stripe)
    }
}

/// Threads are numbered as they ask for the first time. (`ThreadId` has a number too, which stable
/// Rust does not tell, and handing it out counts a reference.)
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Relaxed);
    }
    NUMBER.with(|number| *number)
}

impl Policy for RoundRobin {
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
        if candidates.len() == 1 {
            return candidates.at(0);
        }
        let turn = self.next() % candidates.len();
        // Where every reader is a candidate their turns are 0, 1, 2 …
        let seated = candidates.at(candidates.at(turn).turn.seat);
        if seated.turn.place == turn && seated.turn.of == candidates.len() {
            return seated;
        }
        // Where some are missing, what counts is how many candidates come before by name, or one
        // would never have its turn.
        candidates
            .iter()
            .find(|instance| before(candidates, instance) == turn)
            .unwrap_or_else(|| candidates.at(turn))
    }
}

/// How many candidates have their turn before `instance`.
fn before(candidates: Candidates<'_>, instance: &Instance) -> usize {
    candidates.iter().filter(|other| other.turn.place < instance.turn.place).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    use crate::topology::{Role, Topology, tests::instance};

    #[test]
    fn turns_go_by_name_however_the_candidates_stand() {
        let policy = RoundRobin::default();
        let a = instance("a", Role::Reader, None);
        let b = instance("b", Role::Reader, None);
        let stand = |readers: Vec<Instance>| Topology::new(readers).readers().to_vec();
        let now = Instant::now();
        let later = |mut reader: Instance| {
            reader.fresh_as_of = Some(now);
            reader
        };
        let orders = [stand(vec![later(a.clone()), b.clone()]), stand(vec![a, later(b)])];
        assert_ne!(orders[0][0].id(), orders[1][0].id());
        let picked: Vec<_> = (0..6)
            .map(|n| policy.pick(Candidates::new(&orders[n % 2]).unwrap()).id().as_str().to_owned())
            .collect();
        assert_eq!(picked, ["a", "b", "a", "b", "a", "b"]);
    }

    #[test]
    fn threads_that_ask_at_once_begin_at_different_candidates() {
        let policy = RoundRobin::default();
        let readers = ["a", "b", "c"].map(|name| instance(name, Role::Reader, None));
        let topology = Topology::new(readers.to_vec());
        let pick = || {
            let picked = policy.pick(Candidates::new(topology.readers()).unwrap());
            picked.id().as_str().to_owned()
        };
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..60 {
            let picked = std::thread::scope(|scope| scope.spawn(pick).join().unwrap());
            *counts.entry(picked).or_insert(0_u32) += 1;
        }
        // The threads of other tests come in between, and have numbers too.
        assert_eq!(counts.len(), 3, "{counts:?}");
        assert!(counts.values().all(|count| (8..=40).contains(count)), "{counts:?}");
    }

    #[test]
    fn every_candidate_has_its_turn_when_others_are_too_old() {
        let (policy, now) = (RoundRobin::default(), Instant::now());
        let readers = ["a", "b", "c", "d"].map(|name| {
            let fresh_as_of = ["b", "d"].contains(&name).then_some(now);
            instance(name, Role::Reader, fresh_as_of)
        });
        let topology = Topology::new(readers.to_vec());
        let fresh = topology.readers_fresh_as_of(now);
        let picked: Vec<_> = (0..4)
            .map(|_| policy.pick(Candidates::new(fresh).unwrap()).id().as_str().to_owned())
            .collect();
        assert_eq!(picked, ["b", "d", "b", "d"]);
    }
}
