//! Readers that have just come up are passed over, more often than not, whatever the policy.

use super::{Candidates, Policy};
use crate::topology::Instance;

/// Picks with `policy`. One that is to get less than its share is passed over accordingly: then
/// any of those serves that are to get the most.
///
/// One draw decides, and the policy is not asked again: one that looks for the least busy would
/// name the same candidate every time.
pub(crate) fn pick<'a>(policy: &dyn Policy, candidates: Candidates<'a>) -> &'a Instance {
    let picked = policy.pick(candidates);
    if picked.weight() >= 100 {
        return picked;
    }
    let most = candidates.iter().map(Instance::weight).max().unwrap_or(100);
    if fastrand::u8(..most.max(1)) < picked.weight() {
        return picked;
    }
    let mut warm = candidates.iter().filter(|instance| instance.weight() == most);
    let count = warm.clone().count();
    warm.nth(fastrand::usize(..count.max(1))).unwrap_or(picked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{LeastConnections, Random, RoundRobin};
    use crate::topology::{Role, Topology, tests::instance};

    const PICKS: u32 = 9_000;

    /// How often each of three readers of these weights is picked.
    fn shares(policy: &dyn Policy, weights: [u8; 3]) -> [u32; 3] {
        let readers = ["a", "b", "c"].into_iter().zip(weights).map(|(name, weight)| {
            let mut reader = instance(name, Role::Reader, None);
            reader.weight = weight;
            reader
        });
        let topology = Topology::new(readers.collect());
        let mut counts = [0; 3];
        for _ in 0..PICKS {
            let picked = pick(policy, Candidates::new(topology.readers()).unwrap());
            let place = ["a", "b", "c"].iter().position(|name| *name == picked.id().as_str());
            counts[place.unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn a_cold_reader_gets_its_part_and_the_others_the_rest_evenly() {
        let policies: [&dyn Policy; 3] = [&RoundRobin::default(), &Random, &LeastConnections];
        for policy in policies {
            // A tenth and a half of a third.
            for (weight, expected) in [(10, 200..400), (50, 1_300..1_700)] {
                let [a, b, cold] = shares(policy, [100, 100, weight]);
                assert!(expected.contains(&cold), "{policy:?}: {cold}");
                assert!(a.abs_diff(b) < 600, "{policy:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn readers_that_are_equally_cold_share_as_ever() {
        for weight in [100, 10] {
            assert_eq!(shares(&RoundRobin::default(), [weight; 3]), [PICKS / 3; 3]);
        }
        let [a, b, c] = shares(&Random, [10, 20, 20]);
        assert!((1_300..1_700).contains(&a), "half of a third: {a} {b} {c}");
    }
}
