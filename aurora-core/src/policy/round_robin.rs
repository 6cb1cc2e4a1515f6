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
    /// Whose stripes they are, in the order in which threads asked first; zero is nobody. What one
    /// thread alone is told does not depend on what else the process does.
    ///
    /// Each is written once. A thread that ends keeps its stripe, for the next one that is put in
    /// its place in memory.
    owners: [AtomicUsize; STRIPES],
}

impl RoundRobin {
    fn next(&self) -> usize {
        let stripe = self.stripe_of(this_thread());
        self.stripes[stripe].fetch_add(1, Relaxed).wrapping_add(stripe)
    }

    fn stripe_of(&self, thread: usize) -> usize {
        let is_owner = |owner: &AtomicUsize| match owner.load(Relaxed) {
            0 => owner.compare_exchange(0, thread, Relaxed, Relaxed).is_ok(),
            known => known == thread,
        };
        self.owners.iter().position(is_owner).unwrap_or_else(|| scattered(thread))
    }
}

/// A number that no other thread has while this one lives: where in memory something is of which
/// each thread has one. (`ThreadId` has a number too, which stable Rust does not tell, and handing
/// it out counts a reference.)
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// A stripe for a thread that found all of them taken. The addresses of threads lie evenly apart,
/// which multiplying by the golden ratio spreads over all stripes (Knuth, volume 3, 6.4).
fn scattered(thread: usize) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    ((thread as u64).wrapping_mul(GOLDEN) >> 32) as usize % STRIPES
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
    use std::sync::Barrier;
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

    /// What so many threads are told that live at the same time.
    fn told_at_once<T: Send>(threads: usize, ask: impl Fn() -> T + Sync) -> Vec<T> {
        let all_have_asked = Barrier::new(threads);
        let ask = || {
            let told = ask();
            all_have_asked.wait();
            told
        };
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn threads_that_ask_at_once_begin_at_different_candidates() {
        let policy = RoundRobin::default();
        let readers = ["a", "b", "c"].map(|name| instance(name, Role::Reader, None));
        let topology = Topology::new(readers.to_vec());
        let picked = told_at_once(12, || {
            let picked = policy.pick(Candidates::new(topology.readers()).unwrap());
            picked.id().as_str().to_owned()
        });
        let times = |name: &str| picked.iter().filter(|picked| *picked == name).count();
        assert_eq!(["a", "b", "c"].map(times), [4, 4, 4], "{picked:?}");
    }

    #[test]
    fn as_many_threads_as_there_are_stripes_have_one_each_and_more_share() {
        let policy = RoundRobin::default();
        let ask = || policy.stripe_of(this_thread());
        assert_eq!([ask(), ask()], [0, 0], "the first one that asks");
        let mut stripes = told_at_once(STRIPES - 1, ask);
        stripes.sort_unstable();
        assert_eq!(stripes, (1..STRIPES).collect::<Vec<_>>());
        let more = told_at_once(2 * STRIPES, ask);
        assert!(more.iter().all(|stripe| *stripe < STRIPES), "{more:?}");
        assert_eq!(ask(), 0);
    }

    #[test]
    fn threads_that_share_are_scattered() {
        // A page, a small stack, and those of the operating systems, each with its guard page.
        for apart in [4096, (64 << 10) + 4096, (2 << 20) + 4096, (8 << 20) + 4096] {
            let stripes = (0..STRIPES).map(|n| scattered(0x7f12_5680 + n * apart));
            let stripes: std::collections::BTreeSet<_> = stripes.collect();
            assert!(stripes.len() >= STRIPES / 2, "{apart}: {stripes:?}");
        }
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
