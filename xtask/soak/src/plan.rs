//! Which faults happen when; pure, and the same for the same seed.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum as _;

use crate::fault::Fault;

/// The shortest and the longest time from the beginning of a fault to that of the next, in
/// milliseconds; more if the cluster is not whole again by then.
const PAUSE: std::ops::Range<u64> = 5_000..30_000;
/// The same of what lasts. Instances are declared lost after 2.5 s.
const HOLD: std::ops::Range<u64> = 500..6_000;

/// A fault that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    /// From 1.
    pub(crate) number: usize,
    /// From the beginning of the last one.
    pub(crate) pause: Duration,
    pub(crate) fault: Fault,
    pub(crate) hold: Duration,
    /// Which reader is meant, counted round.
    pub(crate) pick: usize,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, fault, hold, pick, .. } = self;
        write!(f, "{number}: {}, reader {pick}, {:.1} s", fault.name(), hold.as_secs_f64())
    }
}

/// All faults in random order, and again in another, without end.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    random: fastrand::Rng,
    only: Option<Fault>,
    left: Vec<Fault>,
    number: usize,
}

impl Plan {
    pub(crate) fn new(seed: u64, only: Option<Fault>) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), only, left: Vec::new(), number: 0 }
    }

    fn draw(&mut self) -> Fault {
        if let Some(only) = self.only {
            return only;
        }
        loop {
            if let Some(fault) = self.left.pop() {
                return fault;
            }
            self.left = Fault::value_variants().to_vec();
            self.random.shuffle(&mut self.left);
        }
    }
}

impl Iterator for Plan {
    type Item = Strike;

    fn next(&mut self) -> Option<Strike> {
        self.number += 1;
        let fault = self.draw();
        let pause = Duration::from_millis(self.random.u64(PAUSE));
        let hold = Duration::from_millis(self.random.u64(HOLD));
        let pick = self.random.usize(..2);
        Some(Strike { number: self.number, pause, fault, hold, pick })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_plan() {
        let first = |seed| Plan::new(seed, None).take(100).collect::<Vec<_>>();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }

    #[test]
    fn every_round_has_every_fault_once_and_pauses_are_within_bounds() {
        let faults = Fault::value_variants().len();
        let mut round: Vec<_> = Plan::new(3, None).skip(faults).take(faults).collect();
        assert!(round.iter().all(|strike| PAUSE.contains(&(strike.pause.as_millis() as u64))));
        assert!(round.iter().all(|strike| HOLD.contains(&(strike.hold.as_millis() as u64))));
        round.sort_by_key(|strike| strike.fault);
        let faults: Vec<_> = round.iter().map(|strike| strike.fault).collect();
        assert_eq!(faults, Fault::value_variants());
    }

    #[test]
    fn one_fault_can_be_repeated() {
        let mut plan = Plan::new(3, Some(Fault::Garbage));
        assert!(plan.by_ref().take(50).all(|strike| strike.fault == Fault::Garbage));
        assert_eq!(plan.next().map(|strike| strike.number), Some(51));
    }
}
