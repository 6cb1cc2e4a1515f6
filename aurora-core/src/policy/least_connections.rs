use super::{Candidates, Policy};
use crate::topology::Instance;

/// The candidate with the fewest statements in flight; among equals, any.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeastConnections;

impl Policy for LeastConnections {
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
        let load = |instance: &Instance| instance.stats().in_flight();
        let least = candidates.iter().map(load).min();
        let is_least = |instance: &&Instance| Some(load(instance)) == least;
        // Each of the equals is as likely as the other. Statements begin and end meanwhile, so that
        // none of them may be left: then any will do.
        let equals = candidates.iter().filter(is_least).count().max(1);
        let mut equal = candidates.iter().filter(is_least);
        equal.nth(fastrand::usize(..equals)).unwrap_or_else(|| candidates.at(0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::topology::{Role, tests::instance};

    #[test]
    fn the_idle_candidate_is_picked() {
        let instances = ["a", "b"].map(|name| instance(name, Role::Reader, None));
        let busy = instances[0].stats().start(Instant::now());
        for _ in 0..20 {
            let picked = LeastConnections.pick(Candidates::new(&instances).unwrap());
            assert_eq!(picked.id().as_str(), "b");
        }
        drop(busy);
    }
}
