//! One fault: how long the application could not write, and who saw an error.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Errors up to this long after the application could write again belong to the fault.
const AFTERMATH: Duration = Duration::from_secs(1);

/// What was done to the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// All its processes were killed with SIGKILL and a reader was promoted.
    Kill,
    /// It was shut down in an orderly way, a reader was promoted, and it came back as a reader.
    Switchover,
}

impl FaultKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Switchover => "switchover",
        }
    }
}

/// The record of one fault. All times count from `zero`.
#[derive(Debug, Clone)]
pub(crate) struct Failover {
    pub(crate) kind: FaultKind,
    /// Right before the first signal is sent to the old writer.
    pub(crate) zero: Instant,
    /// The instance that is going to be the writer.
    pub(crate) writer: IpAddr,
    /// When the first acknowledged write ended that began after `zero` and ran on `writer`.
    pub(crate) outage: Option<Duration>,
    /// When a direct connection to `writer`, opened before, got its first write through.
    pub(crate) floor: Option<Duration>,
    /// Errors the application saw, by thread.
    errors: HashMap<u16, u64>,
}

impl Failover {
    pub(crate) fn new(kind: FaultKind, zero: Instant, writer: IpAddr) -> Self {
        Self { kind, zero, writer, outage: None, floor: None, errors: HashMap::new() }
    }

    /// A write was acknowledged at `now`.
    pub(crate) fn acknowledged(&mut self, began: Instant, now: Instant, instance: IpAddr) {
        if self.outage.is_none() && began > self.zero && instance == self.writer {
            self.outage = Some(now - self.zero);
        }
    }

    /// An operation failed at `now`; false if that has nothing to do with this fault.
    pub(crate) fn failed(&mut self, now: Instant, worker: u16) -> bool {
        let over = self.outage.is_some_and(|outage| now > self.zero + outage + AFTERMATH);
        if now < self.zero || over {
            return false;
        }
        *self.errors.entry(worker).or_default() += 1;
        true
    }

    /// Errors the application saw.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The most errors one thread saw. A thread has one operation in flight, so more than one
    /// means that an operation failed which had not begun when the fault came.
    pub(crate) fn worst_thread(&self) -> u64 {
        self.errors.values().copied().max().unwrap_or(0)
    }

    /// How much longer the application could not write than a direct probe, in milliseconds.
    /// Negative when the application was first.
    pub(crate) fn above_floor(&self) -> Option<f64> {
        Some(millis(self.outage?) - millis(self.floor?))
    }
}

/// Milliseconds with a fraction, for display.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outage_ends_with_a_write_that_began_later_and_ran_on_the_new_writer() {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let [old, new] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let mut failover = Failover::new(FaultKind::Kill, at(10), new);
        failover.acknowledged(at(9), at(20), new);
        failover.acknowledged(at(11), at(21), old);
        assert_eq!(failover.outage, None);
        failover.acknowledged(at(150), at(160), new);
        failover.acknowledged(at(170), at(180), new);
        assert_eq!(failover.outage, Some(Duration::from_millis(150)));
        failover.floor = Some(Duration::from_millis(145));
        assert!((failover.above_floor().unwrap() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn errors_belong_to_the_fault_until_a_moment_after_it() {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let writer = IpAddr::from([127, 0, 0, 2]);
        let mut failover = Failover::new(FaultKind::Switchover, at(10), writer);
        assert!(!failover.failed(at(9), 1));
        assert!(failover.failed(at(11), 1));
        failover.acknowledged(at(50), at(60), writer);
        assert!(failover.failed(at(1060), 2));
        assert!(failover.failed(at(1060), 2));
        assert!(!failover.failed(at(1061), 1));
        assert_eq!((failover.errors(), failover.worst_thread()), (3, 2));
    }
}
