//! An error never says "not applied" of what was, nor success of what was not (DESIGN 7; invariant
//! I3).

use std::time::Instant;

use super::{Finding, Invariant, Seen};
use crate::simulation::log::Told;

#[derive(Debug)]
pub(super) struct Outcome;

impl Invariant for Outcome {
    fn name(&self) -> &'static str {
        "an outcome never lies"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Finished { write, told, times, .. } = seen else { return Finding::Nothing };
        match told {
            Told::Applied => Finding::check(*times > 0, || {
                format!("write {write} is said to be applied, and never was")
            }),
            Told::NotApplied => Finding::check(*times == 0, || {
                format!("write {write} is said not to be applied, and was")
            }),
            Told::Nothing | Told::Unknown => Finding::Holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see = |told, times| {
            let seen = Seen::Finished { write: 1, told, times, kept: true, durable: true };
            Outcome.see(Instant::now(), &seen)
        };
        assert_eq!(see(Told::Unknown, 1), Finding::Holds);
        assert_eq!(see(Told::NotApplied, 0), Finding::Holds);
        assert!(matches!(see(Told::NotApplied, 1), Finding::Violated(_)));
        assert!(matches!(see(Told::Applied, 0), Finding::Violated(_)));
    }
}
