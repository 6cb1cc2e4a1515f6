//! What the engine is told, and what it wants done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Complaint, ProbeFailure, Report, Slot};
use crate::config::Address;
use crate::event::Event;
use crate::rds::Described;
use crate::topology::{InstanceId, Topology};

/// A fact the engine is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// An instance answered the probe asked at `asked_at`.
    Answered { slot: Slot, asked_at: Instant, report: Report },
    /// An adapter saw something go wrong on a connection of that epoch.
    Complained { instance: InstanceId, epoch: u64, complaint: Complaint, message: Arc<str> },
    /// The API of RDS told something else than before. It changes no role, health or membership.
    #[cfg_attr(
        not(any(feature = "rds-api", test)),
        expect(dead_code, reason = "without the API nothing is ever told")
    )]
    Described(Arc<Described>),
    /// The monitor's idle connection broke.
    Disconnected { slot: Slot, message: Arc<str> },
    /// The task that monitors the instance died.
    MonitorDied { slot: Slot, reason: String },
    /// The next answer comes over another connection of the monitor's than the ones before.
    SessionBegan { slot: Slot },
    /// An operator takes an instance out of use, or brings it back.
    SetOnline { instance: InstanceId, online: bool },
    /// Time has passed.
    Tick,
    /// The probe asked at `asked_at` got no answer.
    Unreachable { slot: Slot, asked_at: Instant, failure: ProbeFailure },
    /// Somebody wants a reader that shows everything acknowledged before `required`, or waits for
    /// the writer's position of that moment; there is none yet.
    Wanted { required: Instant },
}

/// What the engine wants done.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Tell everybody who listens.
    Announce(Event),
    /// Ask the instance about itself within `timeout`; and while it is silent, try once more on a
    /// connection of its own every `hedge`.
    Probe { slot: Slot, address: Address, timeout: Duration, hedge: Duration },
    /// Let everybody see this snapshot.
    Publish(Arc<Topology>),
    /// Monitor that instance no longer.
    Retire { slot: Slot },
}
