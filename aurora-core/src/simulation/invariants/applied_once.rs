//! No write is applied twice by us (DESIGN 4.6 and 7; invariant I2).

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug)]
pub(super) struct AppliedOnce;

impl Invariant for AppliedOnce {
    fn name(&self) -> &'static str {
        "nothing is applied twice by us"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Finished { write, times, .. } = seen else { return Finding::Nothing };
        Finding::check(*times <= 1, || format!("write {write} was committed {times} times"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let told = crate::simulation::log::Told::Unknown;
        let see = |times| {
            let seen = Seen::Finished { write: 1, told, times, kept: true, durable: true };
            AppliedOnce.see(Instant::now(), &seen)
        };
        assert_eq!(see(1), Finding::Holds);
        assert!(matches!(see(2), Finding::Violated(_)));
    }
}
