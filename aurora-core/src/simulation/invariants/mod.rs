//! What must always hold, one file each. Every invariant is shown all that happens, and says of what
//! concerns it whether it holds.

mod acknowledged;
mod applied_once;
mod deadlines;
mod events;
mod freshness;
mod lost_instances;
mod one_writer;
mod outcome;
mod own_writes;
mod recovery;
mod storms;
mod transactions;
mod writes;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::log::{Told, WriteId};
use super::wire::ConnectionId;
use crate::config::Address;
use crate::event::Event;
use crate::topology::{InstanceId, Role, Topology};

/// Something that happened, as invariants see it.
#[derive(Debug)]
pub(super) enum Seen<'a> {
    /// An application was told that its write is committed.
    Acknowledged { write: WriteId, is_written: bool },
    /// An event was announced.
    Announced(&'a Event),
    /// A session begins to make a connection.
    Connecting { instance: &'a InstanceId },
    /// A statement ended; `good` if it succeeded or failed by its own fault.
    Ended { client: usize, began: Instant, good: bool },
    /// The end of the life: how often a write was committed, and whether it is still there.
    Finished { write: WriteId, told: Told, times: usize, kept: bool, durable: bool },
    /// A session waits for an answer; of an instance that was declared lost?
    Hanging { client: usize, on_lost: bool },
    /// An instance is asked.
    Probed { address: &'a Address },
    /// A snapshot was published.
    Published(&'a Topology),
    /// A read was executed that asked for everything before a moment.
    ReadBounded { client: usize, visible: bool },
    /// A read of a session was executed that has written before.
    ReadOwn { client: usize, visible: bool },
    /// From now on everything must work.
    Recovered,
    /// Another engine took over, with this snapshot.
    Replaced(&'a Topology),
    /// An instance told the engine which timeline it writes or follows.
    Reported { ip: Option<IpAddr>, timeline: Option<u64> },
    /// A statement is sent.
    Sent(Sent),
    /// A session waited, and stopped so long after its deadline.
    Waited { client: usize, late: Duration },
    /// What is missing of the cluster, some time after the last fault.
    Whole { missing: Option<String> },
}

/// A statement that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) client: usize,
    pub(super) connection: ConnectionId,
    /// The connection that the open transaction began on.
    pub(super) began_on: Option<ConnectionId>,
    /// Whether nothing ties the session to the connection.
    pub(super) free: bool,
    /// Whether it needs the writer.
    pub(super) writes: bool,
    /// What the connection was opened to.
    pub(super) role: Role,
    pub(super) epoch: u64,
    /// What is known of the instance now.
    pub(super) known: Option<(Role, u64)>,
}

/// What an invariant says of what it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Holds,
    /// It does not concern it.
    Nothing,
    Violated(String),
}

impl Finding {
    /// That it holds, or is violated in these words.
    fn check(holds: bool, words: impl FnOnce() -> String) -> Self {
        if holds { Self::Holds } else { Self::Violated(words()) }
    }
}

pub(super) trait Invariant {
    /// Its name, as violations give it.
    fn name(&self) -> &'static str;

    /// Looks at something that happened.
    fn see(&mut self, at: Instant, seen: &Seen<'_>) -> Finding;
}

/// All of them, for a life that begins with `topology`.
pub(super) fn all(topology: &Topology) -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(acknowledged::Acknowledged),
        Box::new(applied_once::AppliedOnce),
        Box::new(deadlines::Deadlines),
        Box::new(events::Events::new(topology)),
        Box::new(freshness::Freshness),
        Box::new(lost_instances::LostInstances),
        Box::new(one_writer::OneWriter::default()),
        Box::new(outcome::Outcome),
        Box::new(own_writes::OwnWrites),
        Box::new(recovery::Recovery::default()),
        Box::new(storms::Storms::default()),
        Box::new(transactions::Transactions),
        Box::new(writes::Writes),
    ]
}

/// Shows everything to all invariants, and remembers what they say.
pub(super) struct Judge {
    start: Instant,
    invariants: Vec<Box<dyn Invariant>>,
    checks: u64,
    violations: Vec<String>,
}

impl Judge {
    pub(super) fn new(start: Instant, invariants: Vec<Box<dyn Invariant>>) -> Self {
        Self { start, invariants, checks: 0, violations: Vec::new() }
    }

    pub(super) fn see(&mut self, now: Instant, seen: &Seen<'_>) {
        // What comes after the first violation may only follow from it.
        if !self.is_fine() {
            return;
        }
        for invariant in &mut self.invariants {
            match invariant.see(now, seen) {
                Finding::Holds => self.checks += 1,
                Finding::Nothing => {}
                Finding::Violated(words) => {
                    self.checks += 1;
                    let at = now.saturating_duration_since(self.start).as_secs_f64();
                    self.violations.push(format!("{} at {at:.6} s: {words}", invariant.name()));
                }
            }
        }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn checks(&self) -> u64 {
        self.checks
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }
}
