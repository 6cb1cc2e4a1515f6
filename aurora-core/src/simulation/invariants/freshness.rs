//! A read that asks for a moment sees everything acknowledged before it (DESIGN 4.3, freshness
//! `bounded` and `session`).

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug)]
pub(super) struct Freshness;

impl Invariant for Freshness {
    fn name(&self) -> &'static str {
        "bounded staleness holds"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::ReadBounded { client, visible } = seen else { return Finding::Nothing };
        Finding::check(*visible, || {
            format!("session {client} misses what was acknowledged before the moment it asked for")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see =
            |visible| Freshness.see(Instant::now(), &Seen::ReadBounded { client: 1, visible });
        assert_eq!(see(true), Finding::Holds);
        assert!(matches!(see(false), Finding::Violated(_)));
    }
}
