//! An acknowledged write is never lost (DESIGN 7; invariant I1).
//!
//! What is acknowledged was committed at that moment; and where the servers promise to keep what
//! they acknowledge (shared storage, synchronous replication), it is there at the end.

use std::time::Instant;

use super::{Finding, Invariant, Seen};
use crate::simulation::log::Told;

#[derive(Debug)]
pub(super) struct Acknowledged;

impl Invariant for Acknowledged {
    fn name(&self) -> &'static str {
        "an acknowledged write is never lost"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        match seen {
            Seen::Acknowledged { write, is_written } => Finding::check(*is_written, || {
                format!("write {write} was acknowledged and stands in no log")
            }),
            Seen::Finished { write, told: Told::Applied, kept, durable: true, .. } => {
                Finding::check(*kept, || format!("write {write} was acknowledged and is gone"))
            }
            _ => Finding::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(seen: &Seen<'_>) -> Finding {
        Acknowledged.see(Instant::now(), seen)
    }

    #[test]
    fn it_can_fail() {
        let finished = |kept, durable| {
            see(&Seen::Finished { write: 1, told: Told::Applied, times: 1, kept, durable })
        };
        assert_eq!(finished(true, true), Finding::Holds);
        assert_eq!(finished(false, false), Finding::Nothing);
        assert!(matches!(finished(false, true), Finding::Violated(_)));
        let lie = Seen::Acknowledged { write: 1, is_written: false };
        assert!(matches!(see(&lie), Finding::Violated(_)));
    }
}
