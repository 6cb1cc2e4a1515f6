use super::{Candidates, Policy};
use crate::topology::Instance;

/// The candidate with the fewest statements in flight; among equals, any.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeastConnections;

impl Policy for LeastConnections {
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
        // Start anywhere, so that equals share the load.
        let start = fastrand::usize(..candidates.len());
        let around = (start..start + candidates.len()).map(|index| candidates.at(index));
        around
            .min_by_key(|instance| instance.stats().in_flight())
            .unwrap_or_else(|| candidates.at(start))
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
