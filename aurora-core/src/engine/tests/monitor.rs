//! What the monitors of the virtual world do: they carry questions to the servers.

use std::time::{Duration, Instant};

use super::server::State;
use super::world::{Coming, World};
use crate::config::Address;
use crate::engine::{FailureKind, Input, ProbeFailure, Slot};

/// Another try of a question that a hung server has not answered.
#[derive(Clone)]
pub(super) struct Try {
    slot: Slot,
    address: Address,
    asked_at: Instant,
    end: Instant,
    hedge: Duration,
}

impl World {
    /// What the monitor of that slot would do.
    pub(super) fn ask(&mut self, slot: Slot, address: Address, timeout: Duration, hedge: Duration) {
        if self.slots.insert(slot, address.clone()).is_some_and(|before| before != address) {
            self.open.remove(&slot);
        }
        let (asked_at, timeout) = match self.open.contains(&slot) {
            true => (self.now, timeout),
            false => (self.now, Duration::from_secs(2)),
        };
        let server = self.dns.get(address.host()).and_then(|host| self.servers.get(host));
        let (state, latency, stalled) = server
            .map_or((State::Fails(FailureKind::Other), Duration::from_millis(1), 0), |server| {
                (server.state, server.latency, server.stalled)
            });
        // A try that stalls is left, and another one made beside it.
        let mut answered_after = latency;
        let mut asked_at = asked_at;
        while state == State::Up && self.rng.u8(..100) < stalled {
            answered_after += hedge;
            asked_at += hedge;
        }
        let (after, kind) = match state {
            State::MonitorStuck => return,
            State::Up if answered_after < timeout => {
                return self
                    .push(self.now + answered_after, Coming::Answer { slot, address, asked_at });
            }
            State::Hung => {
                let (asked_at, end) = (self.now, self.now + timeout);
                return self.try_later(Try { slot, address, asked_at, end, hedge });
            }
            State::Up => (timeout, FailureKind::Silent),
            State::Fails(kind) => (latency, kind),
        };
        self.open.remove(&slot);
        let failure = ProbeFailure { kind, message: format!("{kind:?}").into() };
        let asked_at = self.now;
        self.push(self.now + after, Coming::Fact(Input::Unreachable { slot, asked_at, failure }));
    }

    fn try_later(&mut self, attempt: Try) {
        self.push((self.now + attempt.hedge).min(attempt.end), Coming::Try(attempt));
    }

    /// What comes of a try over another connection, while the first one hangs.
    pub(super) fn try_again(&mut self, attempt: Try) {
        let Try { slot, asked_at, ref address, .. } = attempt;
        if self.now >= attempt.end {
            self.open.remove(&slot);
            return self.fail(slot, asked_at, FailureKind::Silent);
        }
        let server = self.dns.get(address.host()).and_then(|host| self.servers.get(host));
        match server.map(|server| (server.state, server.latency)) {
            Some((State::Up, latency)) => {
                let (asked_at, address) = (self.now, address.clone());
                self.push(self.now + latency, Coming::Answer { slot, address, asked_at });
            }
            // That nobody listens is certain; any other failure may be this try's own.
            Some((State::Fails(FailureKind::Refused), _)) => {
                self.open.remove(&slot);
                self.fail(slot, asked_at, FailureKind::Refused);
            }
            Some(_) | None => self.try_later(attempt),
        }
    }

    fn fail(&mut self, slot: Slot, asked_at: Instant, kind: FailureKind) {
        let failure = ProbeFailure { kind, message: format!("{kind:?}").into() };
        self.handle(Input::Unreachable { slot, asked_at, failure });
    }
}
