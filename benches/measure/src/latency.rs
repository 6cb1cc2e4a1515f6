//! How long statements take, one by one.

use std::time::{Duration, Instant};

use crate::{Figure, Goal};

/// The times of many statements, and apart from them those of the first ones of each round: they
/// run with caches that are full of what others did meanwhile, and where a round has a hundred and
/// sixty statements, they alone would be much of the slowest hundredth.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    first: Vec<Duration>,
    all: Vec<Duration>,
}

impl Latencies {
    /// Keeps how long it has been since `began`, when the first statement of a round did.
    pub fn first_since(&mut self, began: Instant) {
        self.first.push(began.elapsed());
    }

    /// Keeps how long it has been since `began`.
    pub fn since(&mut self, began: Instant) {
        self.all.push(began.elapsed());
    }

    /// Takes in those of another worker.
    pub fn add(&mut self, other: Self) {
        self.first.extend(other.first);
        self.all.extend(other.all);
    }

    /// The median and the 99th percentile beside those of the baseline, with what their ratios
    /// should be at most; and those of the same baseline once more, which tell how far apart two
    /// are between which there is no difference. Then the median of the first ones.
    pub fn beside(
        &mut self,
        name: &str,
        [baseline, again]: &mut [Self; 2],
        (median, p99): (f64, f64),
    ) -> [Figure; 5] {
        let micros = |times: &mut Vec<_>, rank| per_mille(times, rank).as_secs_f64() * 1e6;
        let figure = |name: String, rank, times: &mut Self, baseline: &mut Self| {
            let baseline = micros(&mut baseline.all, rank);
            Figure::new(name, "µs", micros(&mut times.all, rank)).beside(baseline)
        };
        let first = Figure::new(
            format!("{name}, first of a round, median"),
            "µs",
            micros(&mut self.first, 500),
        );
        let first = first.beside(micros(&mut baseline.first, 500));
        let median_of = format!("{name}, median");
        let p99_of = format!("{name}, p99");
        [
            figure(median_of.clone(), 500, self, baseline).with_goal(Goal::RatioAtMost(median)),
            figure(format!("{median_of}: bare twice"), 500, again, baseline),
            figure(p99_of.clone(), 990, self, baseline).with_goal(Goal::RatioAtMost(p99)),
            figure(format!("{p99_of}: bare twice"), 990, again, baseline),
            first,
        ]
    }
}

/// The time that so many in a thousand do not exceed; zero of none.
fn per_mille(times: &mut [Duration], rank: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * rank / 1000).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentiles_are_those_of_all_workers() {
        let of = |range: std::ops::Range<u64>| {
            let all: Vec<_> = range.rev().map(Duration::from_micros).collect();
            Latencies { first: vec![all[0] * 2], all }
        };
        let mut all = of(0..500);
        all.add(of(500..1000));
        for (rank, micros) in [(500, 500), (990, 990), (1000, 999)] {
            assert_eq!(per_mille(&mut all.all, rank), Duration::from_micros(micros));
        }
        assert_eq!(per_mille(&mut [], 990), Duration::ZERO);
        assert_eq!(all.first.len(), 2);
        let bare = || [of(1..101), of(2..201)];
        let [median, again, p99, _, first] = of(1..101).beside("a", &mut bare(), (1.0, 0.9));
        assert!(median.line().contains("met") && p99.line().contains("MISSED"));
        assert!(again.line().contains("a, median: bare twice"), "{}", again.line());
        assert!(again.line().contains("ratio 1.98"), "{}", again.line());
        assert!(first.line().contains("200.00 µs       baseline     200.00"), "{}", first.line());
    }
}
