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
        let turn = self.turn.fetch_add(1, Relaxed) % candidates.len();
        let due = candidates.iter().find(|instance| instance.turn == turn);
        // Where not every reader is a candidate, the one whose turn it is may be missing.
        due.unwrap_or_else(|| candidates.at(turn))
    }
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
}
