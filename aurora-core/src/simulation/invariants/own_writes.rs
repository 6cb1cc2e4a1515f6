//! The reads of a session see what it wrote (DESIGN 4.3, freshness `session`).
//!
//! Where a failover lost an acknowledged write (asynchronous replication), nobody can see it.

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug)]
pub(super) struct OwnWrites;

impl Invariant for OwnWrites {
    fn name(&self) -> &'static str {
        "a session reads what it wrote"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::ReadOwn { client, visible } = seen else { return Finding::Nothing };
        Finding::check(*visible, || format!("session {client} does not see its own write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see = |visible| OwnWrites.see(Instant::now(), &Seen::ReadOwn { client: 1, visible });
        assert_eq!(see(true), Finding::Holds);
        assert!(matches!(see(false), Finding::Violated(_)));
    }
}
