use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Candidates, Policy};
use crate::topology::Instance;

/// One candidate after the other. The default.
///
/// The turn is taken by name, not by place: candidates stand freshest first, and their places
/// change with every measurement.
#[derive(Debug, Default)]
pub struct RoundRobin {
    turn: AtomicUsize,
}

impl Policy for RoundRobin {
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
        // A counter that all threads share is dearer than all the rest.
        if candidates.len() == 1 {
            return candidates.at(0);
        }
        let turn = self.turn.fetch_add(1, Relaxed) % candidates.len();
        // Where every reader is a candidate their turns are 0, 1, 2 …; where some are missing, what
        // counts is how many candidates come before by name, or one would never have its turn.
        let all = candidates.iter().all(|instance| instance.turn < candidates.len());
        let place = |instance: &&Instance| {
            if all { instance.turn } else { before(candidates, instance) }
        };
        candidates
            .iter()
            .find(|instance| place(instance) == turn)
            .unwrap_or_else(|| candidates.at(turn))
    }
}

/// How many candidates have their turn before `instance`.
fn before(candidates: Candidates<'_>, instance: &Instance) -> usize {
    candidates.iter().filter(|other| other.turn < instance.turn).count()
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
