//! No statement of a transaction runs on another connection than its BEGIN (DESIGN 4.2; invariant
//! I4).

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug)]
pub(super) struct Transactions;

impl Invariant for Transactions {
    fn name(&self) -> &'static str {
        "a transaction stays on its connection"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Sent(sent) = seen else { return Finding::Nothing };
        let Some(began_on) = sent.began_on else { return Finding::Nothing };
        Finding::check(began_on == sent.connection, || {
            format!(
                "session {} began on connection {began_on} and goes on over {}",
                sent.client, sent.connection
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see = |connection| {
            let sent = crate::simulation::invariants::writes::sent();
            let sent = super::super::Sent { connection, began_on: Some(1), ..sent };
            Transactions.see(Instant::now(), &Seen::Sent(sent))
        };
        assert_eq!(see(1), Finding::Holds);
        assert!(matches!(see(2), Finding::Violated(_)));
    }
}
