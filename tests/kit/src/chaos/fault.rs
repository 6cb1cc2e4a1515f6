//! What can be wrong with the way to an instance, and what that means for a connection. Pure.

use std::num::NonZeroU32;
use std::time::Duration;

use super::mishap::Loss;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Requests and replies.
    Both,
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// Does a fault of this direction concern bytes that go `way`?
    fn covers(self, way: Self) -> bool {
        self == Self::Both || self == way
    }
}

/// A lasting disturbance, until [`ChaosProxy::heal`](super::ChaosProxy::heal) or another
/// [`ChaosProxy::set`](super::ChaosProxy::set).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Packets are lost: open connections fall silent (nothing is forwarded, nothing is closed),
    /// and new connects get no answer at all, whatever the direction, because both the request to
    /// connect and its answer have to pass.
    ///
    /// What was sent meanwhile arrives when the fault is healed, as TCP would send it again. One
    /// difference from a real loss: the kernel still acknowledges what it buffers, so that
    /// keepalives and `TCP_USER_TIMEOUT` do not end an open connection.
    Blackhole(Direction),
    /// Nothing listens: new connects are refused (`ECONNREFUSED`). Open connections go on.
    Refuse,
    /// New connections are accepted and never answered, as by a stopped server. They go on when
    /// the fault is healed.
    StallHandshake,
    /// A request for TLS is never answered; connections without TLS go on.
    StallTls,
    /// Bytes arrive later by `delay` and a random part of `jitter`, in order; a round trip takes
    /// twice that. The acceptance of a connection, which is the kernel's, is not delayed. Several
    /// faults of this kind add up.
    Latency {
        /// What every byte is late by, in each direction.
        delay: Duration,
        /// What it is late by in addition, at most.
        jitter: Duration,
    },
    /// No more bytes pass each second, in each direction of each connection. The narrowest of
    /// several counts.
    Bandwidth {
        /// How many pass.
        bytes_per_second: NonZeroU32,
    },
    /// A connection that was idle for longer is lost at its next byte, of whatever side: as when a
    /// firewall or a load balancer between them has forgotten it. Neither side is told before.
    ForgetIdle {
        /// How long it may be idle.
        after: Duration,
        /// How the next byte is answered.
        then: Loss,
    },
}

/// All that is wrong at present, as every connection looks at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) faults: Vec<Fault>,
    /// Connections that began before the number rose to this are to be reset.
    pub(crate) resets: u64,
    /// The answers of connections that began before the number rose to this are to end.
    pub(crate) half_closes: u64,
    /// The server is known not to run.
    pub(crate) absent: bool,
    /// How often the server has ended.
    pub(crate) ends: u64,
    /// The proxy is gone.
    pub(crate) closed: bool,
}

/// What a connect meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    Accept,
    Refuse,
    Ignore,
}

impl Plan {
    /// Are bytes that go this way lost?
    pub(crate) fn silences(&self, way: Direction) -> bool {
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::Blackhole(direction) if direction.covers(way)))
    }

    /// Are bytes of any direction lost?
    pub(crate) fn silences_any(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Blackhole(_)))
    }

    pub(crate) fn stalls_handshakes(&self) -> bool {
        self.faults.contains(&Fault::StallHandshake)
    }

    pub(crate) fn stalls_tls(&self) -> bool {
        self.faults.contains(&Fault::StallTls)
    }

    /// Do bytes arrive later than they are sent?
    pub(crate) fn is_slow(&self) -> bool {
        let slow = |fault: &Fault| matches!(fault, Fault::Latency { .. } | Fault::Bandwidth { .. });
        self.faults.iter().any(slow)
    }

    /// What a byte is late by; `part` chooses a part of the jitter.
    pub(crate) fn delay(&self, mut part: impl FnMut(Duration) -> Duration) -> Duration {
        let late = |fault: &Fault| match fault {
            Fault::Latency { delay, jitter } => Some(*delay + part(*jitter)),
            _ => None,
        };
        self.faults.iter().filter_map(late).sum()
    }

    /// The bytes that pass in a second, if they are limited.
    pub(crate) fn rate(&self) -> Option<NonZeroU32> {
        let rate = |fault: &Fault| match fault {
            Fault::Bandwidth { bytes_per_second } => Some(*bytes_per_second),
            _ => None,
        };
        self.faults.iter().filter_map(rate).min()
    }

    /// How a connection that was idle for so long is lost, if it is.
    pub(crate) fn forgets(&self, idle: Duration) -> Option<Loss> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::ForgetIdle { after, then } if idle > *after => Some(*then),
            _ => None,
        })
    }

    /// A lost packet is never answered, so silence comes before refusal.
    pub(crate) fn greeting(&self) -> Greeting {
        if self.silences_any() {
            Greeting::Ignore
        } else if self.absent || self.faults.contains(&Fault::Refuse) {
            Greeting::Refuse
        } else {
            Greeting::Accept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(faults: &[Fault]) -> Plan {
        Plan { faults: faults.to_vec(), ..Plan::default() }
    }

    #[test]
    fn a_blackhole_silences_its_direction_and_every_connect() {
        for (direction, expected) in [
            (Direction::Both, [true, true]),
            (Direction::ToServer, [true, false]),
            (Direction::ToClient, [false, true]),
        ] {
            let plan = plan(&[Fault::Blackhole(direction)]);
            let ways = [Direction::ToServer, Direction::ToClient];
            assert_eq!(ways.map(|way| plan.silences(way)), expected, "{direction:?}");
            assert_eq!(plan.greeting(), Greeting::Ignore);
        }
    }

    #[test]
    fn an_idle_connection_is_forgotten_after_its_time() {
        let after = Duration::from_secs(5);
        let plan = plan(&[Fault::ForgetIdle { after, then: Loss::Reset }]);
        assert_eq!(plan.forgets(after), None);
        assert_eq!(plan.forgets(after + Duration::from_nanos(1)), Some(Loss::Reset));
    }

    #[test]
    fn delays_add_up_and_the_narrowest_way_counts() {
        let latency = |millis| Fault::Latency {
            delay: Duration::from_millis(millis),
            jitter: Duration::from_millis(10),
        };
        let bandwidth =
            |rate| Fault::Bandwidth { bytes_per_second: NonZeroU32::new(rate).expect("not zero") };
        let plan = plan(&[latency(20), bandwidth(9), latency(30), bandwidth(7)]);
        assert_eq!(plan.delay(|jitter| jitter / 2), Duration::from_millis(60));
        assert_eq!(plan.rate().map(NonZeroU32::get), Some(7));
        assert!(plan.is_slow());
    }

    #[test]
    fn silence_comes_before_refusal() {
        assert_eq!(plan(&[]).greeting(), Greeting::Accept);
        assert_eq!(plan(&[Fault::Refuse]).greeting(), Greeting::Refuse);
        let both = plan(&[Fault::Refuse, Fault::Blackhole(Direction::ToServer)]);
        assert_eq!(both.greeting(), Greeting::Ignore);
    }
}
