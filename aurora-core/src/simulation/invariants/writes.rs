//! No write is sent to an instance that is known to be no writer, and nothing over a connection of
//! an old epoch (DESIGN 3 and 7; invariants I5 and I11). A transaction, or state of the session,
//! stays on its connection until that breaks.

use std::time::Instant;

use super::{Finding, Invariant, Seen, Sent};
use crate::topology::Role;

#[derive(Debug)]
pub(super) struct Writes;

impl Invariant for Writes {
    fn name(&self) -> &'static str {
        "no write goes to a known reader"
    }

    fn see(&mut self, _: Instant, seen: &Seen<'_>) -> Finding {
        let Seen::Sent(sent) = seen else { return Finding::Nothing };
        if !sent.free {
            return Finding::Nothing;
        }
        let current = sent.known.is_some_and(|(_, epoch)| epoch == sent.epoch);
        let role = !sent.writes || (sent.role == Role::Writer && sent.known_role() == sent.role);
        Finding::check(current && role, || format!("{sent:?}"))
    }
}

impl Sent {
    fn known_role(&self) -> Role {
        self.known.map_or(Role::Unknown, |(role, _)| role)
    }
}

/// A write on its way to the writer, for tests.
#[cfg(test)]
pub(super) fn sent() -> Sent {
    Sent {
        client: 0,
        connection: 1,
        began_on: None,
        free: true,
        writes: true,
        role: Role::Writer,
        epoch: 3,
        known: Some((Role::Writer, 3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let see = |sent| Writes.see(Instant::now(), &Seen::Sent(sent));
        assert_eq!(see(sent()), Finding::Holds);
        let stale = Sent { epoch: 2, ..sent() };
        assert!(matches!(see(stale), Finding::Violated(_)));
        let reader = Sent { known: Some((Role::Reader, 3)), ..sent() };
        assert!(matches!(see(reader), Finding::Violated(_)));
        assert_eq!(see(Sent { free: false, ..reader }), Finding::Nothing);
    }
}
