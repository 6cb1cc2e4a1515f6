use super::{Candidates, Policy};
use crate::topology::Instance;

/// Any candidate, with equal chances.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Policy for Random {
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
        candidates.at(fastrand::usize(..candidates.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Role, tests::instance};

    #[test]
    fn every_candidate_gets_its_share() {
        let instances = ["a", "b", "c"].map(|name| instance(name, Role::Reader, None));
        let mut counts = [0_u32; 3];
        for _ in 0..9_000 {
            let picked = Random.pick(Candidates::new(&instances).unwrap());
            let index = instances.iter().position(|i| i.id() == picked.id()).unwrap();
            counts[index] += 1;
        }
        assert!(counts.iter().all(|count| (2_600..3_400).contains(count)), "{counts:?}");
    }
}
