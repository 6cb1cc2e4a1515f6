//! When the API is asked next; pure.

use std::time::Duration;

use super::told::FailureKind;

/// The first pause after a failure that may pass.
const SOON: Duration = Duration::from_secs(5);

/// No back-off is longer, unless the interval itself is. Source: the AWS JDBC driver waits this
/// long at most between questions for custom endpoints.
const LONGEST: Duration = Duration::from_secs(300);

/// Doublings beyond this change nothing.
const MOST_DOUBLINGS: u32 = 16;

/// How far jitter stretches or shortens a pause, so that processes do not ask in step.
const JITTER: f64 = 0.1;

/// Counts failures, and makes pauses of them.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    failures: u32,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0 }
    }

    /// The pause after a question that was answered, or failed in that way; `chance` is from 0
    /// to 1.
    ///
    /// After a failure that may pass it is asked sooner than usual at first. One that is throttled
    /// or refused is asked less and less.
    pub(super) fn after(&mut self, failure: Option<FailureKind>, chance: f64) -> Duration {
        let doubled =
            |pause: Duration, times: u32| pause.saturating_mul(1 << times.min(MOST_DOUBLINGS));
        let pause = match failure {
            None => {
                self.failures = 0;
                self.interval
            }
            Some(FailureKind::Passing) => {
                let pause = doubled(SOON.min(self.interval), self.failures);
                self.failures = self.failures.saturating_add(1);
                pause.min(self.interval)
            }
            Some(FailureKind::Refused | FailureKind::Throttled) => {
                self.failures = self.failures.saturating_add(1);
                doubled(self.interval, self.failures).min(LONGEST.max(self.interval))
            }
        };
        pause.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pauses(pace: &mut Pace, failure: Option<FailureKind>, times: usize) -> Vec<u64> {
        (0..times).map(|_| pace.after(failure, 0.5).as_secs()).collect()
    }

    #[test]
    fn a_failure_that_may_pass_is_asked_soon_and_never_less_than_usual() {
        let mut pace = Pace::new(60 * SECOND);
        assert_eq!(pauses(&mut pace, None, 2), [60, 60]);
        assert_eq!(pauses(&mut pace, Some(FailureKind::Passing), 6), [5, 10, 20, 40, 60, 60]);
        assert_eq!(pauses(&mut pace, None, 1), [60]);
        assert_eq!(pauses(&mut pace, Some(FailureKind::Passing), 1), [5]);
    }

    #[test]
    fn who_is_throttled_asks_less_and_less_up_to_a_limit() {
        for failure in [FailureKind::Throttled, FailureKind::Refused] {
            let mut pace = Pace::new(60 * SECOND);
            assert_eq!(pauses(&mut pace, Some(failure), 5), [120, 240, 300, 300, 300]);
            assert_eq!(pauses(&mut pace, None, 1), [60], "an answer ends it");
        }
        let mut slow = Pace::new(900 * SECOND);
        assert_eq!(pauses(&mut slow, Some(FailureKind::Throttled), 3), [900, 900, 900]);
        let mut forever = Pace::new(SECOND);
        assert_eq!(pauses(&mut forever, Some(FailureKind::Throttled), 99)[98], 300);
    }

    #[test]
    fn jitter_moves_a_pause_by_a_tenth() {
        let mut pace = Pace::new(60 * SECOND);
        assert_eq!(pace.after(None, 0.0), 54 * SECOND);
        assert_eq!(pace.after(None, 1.0), 66 * SECOND);
    }
}
