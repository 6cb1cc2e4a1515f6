//! No reconnect storm (DESIGN 5, t2, and 7; invariant I10): an instance is asked no more often than every
//! `failover_interval` (10 ms), and no more connections to it are begun than `connect_rate` a second
//! (100), and eight at once.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Finding, Invariant, Seen};
use crate::config::Address;
use crate::topology::InstanceId;

const WINDOW: Duration = Duration::from_secs(1);

/// Probes in a window at most: every 10 ms, and those of an engine that was replaced.
const PROBES: usize = 105;

/// Attempts to connect in a window at most: `connect_rate`, and those that go at once.
const ATTEMPTS: usize = 100 + 8;

/// The moments within the window.
#[derive(Debug, Default)]
struct Recent(VecDeque<Instant>);

impl Recent {
    fn note(&mut self, at: Instant) -> usize {
        self.0.push_back(at);
        while self.0.front().is_some_and(|first| *first + WINDOW <= at) {
            self.0.pop_front();
        }
        self.0.len()
    }
}

#[derive(Debug, Default)]
pub(super) struct Storms {
    probes: HashMap<Address, Recent>,
    connects: HashMap<InstanceId, Recent>,
}

impl Invariant for Storms {
    fn name(&self) -> &'static str {
        "no reconnect storm"
    }

    fn see(&mut self, at: Instant, seen: &Seen<'_>) -> Finding {
        match seen {
            Seen::Probed { address } => {
                let count = self.probes.entry((*address).clone()).or_default().note(at);
                Finding::check(count <= PROBES, || {
                    format!("{address} was asked {count} times in 1 s")
                })
            }
            Seen::Connecting { instance } => {
                let count = self.connects.entry((*instance).clone()).or_default().note(at);
                Finding::check(count <= ATTEMPTS, || {
                    format!("{count} attempts to connect to {instance} in 1 s")
                })
            }
            _ => Finding::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let (mut invariant, now) = (Storms::default(), Instant::now());
        let address = Address::new("a", 5432);
        let mut probed = || invariant.see(now, &Seen::Probed { address: &address });
        assert!((0..PROBES).all(|_| probed() == Finding::Holds));
        assert!(matches!(probed(), Finding::Violated(_)));
        let instance = InstanceId::from("a");
        let seen = Seen::Connecting { instance: &instance };
        assert!((0..ATTEMPTS).all(|_| invariant.see(now, &seen) == Finding::Holds));
        assert!(matches!(invariant.see(now, &seen), Finding::Violated(_)));
        assert_eq!(invariant.see(now + WINDOW, &seen), Finding::Holds);
    }
}
