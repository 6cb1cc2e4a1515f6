//! On the verdict that an instance is lost, the statements in flight on it end (DESIGN 5, t1).

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug)]
pub(super) struct LostInstances;

impl Invariant for LostInstances {
    fn name(&self) -> &'static str {
        "nobody waits for a lost instance"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Hanging { client, on_lost } = seen else { return Finding::Nothing };
        Finding::check(!on_lost, || {
            format!("session {client} goes on to wait for an instance that is lost")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see =
            |on_lost| LostInstances.see(Instant::now(), &Seen::Hanging { client: 1, on_lost });
        assert_eq!(see(false), Finding::Holds);
        assert!(matches!(see(true), Finding::Violated(_)));
    }
}
