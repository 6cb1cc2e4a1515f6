//! How long statements take, one by one.

use std::time::{Duration, Instant};

use crate::{Figure, Goal};

/// The times of many statements.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Runs `work` and keeps how long it took.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.0.push(began.elapsed());
        result
    }

    /// Keeps how long it has been since `began`.
    pub fn since(&mut self, began: Instant) {
        self.0.push(began.elapsed());
    }

    /// Takes in those of another worker.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The time that so many in a thousand do not exceed; zero of none.
    pub fn per_mille(&mut self, per_mille: usize) -> Duration {
        self.0.sort_unstable();
        let place = (self.0.len() * per_mille / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }

    /// The median and the 99th percentile beside those of the baseline, with what their ratios
    /// should be at most; and those of the same baseline once more, which tell how far apart two
    /// are between which there is no difference.
    pub fn beside(
        &mut self,
        name: &str,
        [baseline, again]: &mut [Self; 2],
        (median, p99): (f64, f64),
    ) -> [Figure; 4] {
        let figure = |name: String, per_mille, times: &mut Self, baseline: &mut Self| {
            let micros = |times: &mut Self| times.per_mille(per_mille).as_secs_f64() * 1e6;
            Figure::new(name, "µs", micros(times)).beside(micros(baseline))
        };
        let median_of = format!("{name}, median");
        let p99_of = format!("{name}, p99");
        [
            figure(median_of.clone(), 500, self, baseline).with_goal(Goal::RatioAtMost(median)),
            figure(format!("{median_of}: bare twice"), 500, again, baseline),
            figure(p99_of.clone(), 990, self, baseline).with_goal(Goal::RatioAtMost(p99)),
            figure(format!("{p99_of}: bare twice"), 990, again, baseline),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentiles_are_those_of_all_workers() {
        let of = |range: std::ops::Range<u64>| {
            Latencies(range.rev().map(Duration::from_micros).collect())
        };
        let mut all = of(0..500);
        all.add(of(500..1000));
        assert_eq!(all.per_mille(500), Duration::from_micros(500));
        assert_eq!(all.per_mille(990), Duration::from_micros(990));
        assert_eq!(all.per_mille(1000), Duration::from_micros(999));
        assert_eq!(Latencies::default().per_mille(990), Duration::ZERO);
        let bare = || [of(1..101), of(2..201)];
        let [median, again, p99, _] = of(1..101).beside("a", &mut bare(), (1.0, 0.9));
        assert!(median.line().contains("met") && p99.line().contains("MISSED"));
        assert!(again.line().contains("a, median: bare twice"), "{}", again.line());
        assert!(again.line().contains("ratio 1.98"), "{}", again.line());
    }
}
