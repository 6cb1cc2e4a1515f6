//! When to connect anew beside an open connection. Pure.
//!
//! What is behind an address may move for new connections alone (a load balancer, a virtual
//! address), and an open connection does not tell.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::config::Address;

/// When monitoring connections were opened, and which are in doubt.
#[derive(Debug, Default)]
pub(super) struct Openings(HashMap<Address, Opening>);

#[derive(Debug)]
struct Opening {
    at: Instant,
    /// Connect anew, but not before the present connection is this old.
    doubt: Option<Duration>,
}

impl Openings {
    /// Notes that a connection was opened.
    pub(super) fn opened(&mut self, address: &Address, now: Instant) {
        self.0.insert(address.clone(), Opening { at: now, doubt: None });
    }

    /// Puts the open connection in doubt; it is kept until it is `pause` old.
    pub(super) fn doubt(&mut self, address: &Address, pause: Duration) {
        if let Some(opening) = self.0.get_mut(address) {
            opening.doubt = Some(opening.doubt.map_or(pause, |before| before.min(pause)));
        }
    }

    /// Whether to connect anew now, `always` if only the connection is that old. Counts as an
    /// opening, so that one that fails is not tried again at once.
    pub(super) fn take_due(
        &mut self,
        address: &Address,
        always: Option<Duration>,
        now: Instant,
    ) -> bool {
        let Some(opening) = self.0.get_mut(address) else { return false };
        let pause = [opening.doubt, always].into_iter().flatten().min();
        let age = now.saturating_duration_since(opening.at);
        if pause.is_none_or(|pause| age < pause) {
            return false;
        }
        *opening = Opening { at: now, doubt: None };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_in_doubt_is_opened_anew_once_and_not_too_soon() {
        let (a, b) = (Address::new("a", 1), Address::new("a", 2));
        let (second, now) = (Duration::from_secs(1), Instant::now());
        let mut openings = Openings::default();
        openings.doubt(&a, second);
        assert!(!openings.take_due(&a, Some(Duration::ZERO), now), "none is open");
        openings.opened(&a, now);
        openings.opened(&b, now);
        assert!(!openings.take_due(&a, None, now + second * 9), "no doubt");
        openings.doubt(&a, second * 5);
        openings.doubt(&a, second);
        openings.doubt(&a, second * 5);
        assert!(!openings.take_due(&a, None, now));
        assert!(!openings.take_due(&b, None, now + second), "another port is another instance");
        assert!(openings.take_due(&a, None, now + second));
        assert!(!openings.take_due(&a, None, now + second * 9), "once");
        assert!(!openings.take_due(&a, Some(second * 9), now + second * 9));
        assert!(openings.take_due(&a, Some(second * 9), now + second * 10));
    }
}
