//! When bytes arrive on a slow way. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::fault::Plan;

/// What may be on its way at once; then the sender has to wait.
const ON_THE_WAY: usize = 256 * 1024;
/// On a narrow way bytes arrive in this many portions a second.
const PORTIONS: usize = 50;

/// The bytes of one direction that were sent and have not arrived.
#[derive(Debug)]
pub(crate) struct Way {
    parts: VecDeque<(Instant, Vec<u8>)>,
    length: usize,
    /// When the last byte sent so far arrives, and when it had passed the narrow place.
    arrival: Instant,
    passed: Instant,
    random: fastrand::Rng,
}

impl Way {
    pub(crate) fn new(now: Instant, random: fastrand::Rng) -> Self {
        Self { parts: VecDeque::new(), length: 0, arrival: now, passed: now, random }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.length < ON_THE_WAY
    }

    /// Sends bytes on their way; in order, whatever the jitter.
    pub(crate) fn send(&mut self, bytes: &[u8], now: Instant, plan: &Plan) {
        let rate = plan.rate().map(|rate| rate.get());
        let portion = rate.map_or(usize::MAX, |rate| (rate as usize / PORTIONS).max(1));
        for part in bytes.chunks(portion.min(ON_THE_WAY)) {
            if let Some(rate) = rate {
                let took = Duration::from_secs_f64(part.len() as f64 / f64::from(rate));
                self.passed = self.passed.max(now) + took;
            } else {
                self.passed = now;
            }
            let delay = plan.delay(|most| most.mul_f64(self.random.f64()));
            self.arrival = self.arrival.max(self.passed + delay);
            self.length += part.len();
            self.parts.push_back((self.arrival, part.to_vec()));
        }
    }

    /// When the next bytes arrive.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.parts.front().map(|(arrival, _)| *arrival)
    }

    /// The next bytes, whether it is time or not.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let (_, part) = self.parts.pop_front()?;
        self.length -= part.len();
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::Fault;
    use super::*;

    const DELAY: Duration = Duration::from_millis(50);
    const JITTER: Duration = Duration::from_millis(40);

    fn plan(faults: &[Fault]) -> Plan {
        Plan { faults: faults.to_vec(), ..Plan::default() }
    }

    /// When each of 20 messages sent 1 ms after the other arrives.
    fn arrivals(seed: u64, plan: &Plan) -> Vec<Duration> {
        let start = Instant::now();
        let mut way = Way::new(start, fastrand::Rng::with_seed(seed));
        for n in 0..20 {
            way.send(b"x", start + Duration::from_millis(n), plan);
        }
        way.parts.iter().map(|(arrival, _)| *arrival - start).collect()
    }

    #[test]
    fn jitter_is_bounded_repeatable_and_keeps_the_order() {
        let plan = plan(&[Fault::Latency { delay: DELAY, jitter: JITTER }]);
        let first = arrivals(1, &plan);
        assert_eq!(first, arrivals(1, &plan));
        assert_ne!(first, arrivals(2, &plan));
        assert!(first.is_sorted());
        for (arrival, sent) in first.iter().zip((0..).map(Duration::from_millis)) {
            assert!(*arrival >= sent + DELAY, "{first:?}");
            assert!(*arrival <= Duration::from_millis(20) + DELAY + JITTER, "{first:?}");
        }
    }

    #[test]
    fn a_delay_does_not_narrow_the_way() {
        let plan = plan(&[Fault::Latency { delay: DELAY, jitter: Duration::ZERO }]);
        let expected: Vec<Duration> = (0..20).map(|n| DELAY + Duration::from_millis(n)).collect();
        assert_eq!(arrivals(1, &plan), expected);
    }

    #[test]
    fn a_narrow_way_lets_so_many_bytes_pass_in_a_second() {
        let rate = NonZeroU32::new(1000).expect("not zero");
        let plan = plan(&[Fault::Bandwidth { bytes_per_second: rate }]);
        let start = Instant::now();
        let mut way = Way::new(start, fastrand::Rng::with_seed(1));
        way.send(&[7; 500], start, &plan);
        assert_eq!(way.next_arrival().map(|at| at - start), Some(Duration::from_millis(20)));
        let last = way.parts.back().expect("a part").0 - start;
        assert!(last.abs_diff(Duration::from_millis(500)) < Duration::from_micros(1), "{last:?}");
        let mut total = 0;
        while let Some(part) = way.take() {
            total += part.len();
        }
        assert_eq!((total, way.length, way.is_empty()), (500, 0, true));
    }

    #[test]
    fn the_sender_waits_when_too_much_is_on_its_way() {
        let plan = plan(&[Fault::Latency { delay: DELAY, jitter: JITTER }]);
        let mut way = Way::new(Instant::now(), fastrand::Rng::with_seed(1));
        assert!(way.has_room());
        way.send(&vec![0; ON_THE_WAY], Instant::now(), &plan);
        assert!(!way.has_room());
    }
}
