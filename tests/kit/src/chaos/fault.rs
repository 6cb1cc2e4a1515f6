//! What can be wrong with the way to an instance, and what that means for a connection. Pure.

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
}

/// All that is wrong at present, as every connection looks at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) faults: Vec<Fault>,
    /// Connections that began before the number rose to this are to be reset.
    pub(crate) resets: u64,
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
    fn silence_comes_before_refusal() {
        assert_eq!(plan(&[]).greeting(), Greeting::Accept);
        assert_eq!(plan(&[Fault::Refuse]).greeting(), Greeting::Refuse);
        let both = plan(&[Fault::Refuse, Fault::Blackhole(Direction::ToServer)]);
        assert_eq!(both.greeting(), Greeting::Ignore);
    }
}
