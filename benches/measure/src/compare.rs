//! Ours and the baseline in turn, compared round by round.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a comparison found.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Time of one operation of ours, median over the rounds.
    pub ours: Duration,
    /// Time of one operation of the baseline, median over the rounds.
    pub baseline: Duration,
    /// Median over the rounds of ours divided by the baseline.
    pub ratio: f64,
    /// The quartiles below and above that median.
    pub spread: (f64, f64),
}

impl Comparison {
    /// The same rounds, for work of which one operation was really `count` of them.
    ///
    /// # Panics
    ///
    /// When `count` is zero.
    #[must_use]
    pub fn divided_by(self, count: u32) -> Self {
        Self { ours: self.ours / count, baseline: self.baseline / count, ..self }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.spread;
        write!(f, "ours {:>8.2?}  baseline {:>8.2?}  ", self.ours, self.baseline)?;
        write!(f, "ratio {:.3} ({low:.3} to {high:.3})", self.ratio)
    }
}

/// Runs `ours` and `baseline` in turn, `rounds` times `operations` each, by the clock on the wall.
///
/// # Panics
///
/// When `rounds` or `operations` is zero.
pub fn compare(
    rounds: usize,
    operations: u32,
    ours: impl FnMut(),
    baseline: impl FnMut(),
) -> Comparison {
    let started = Instant::now();
    compare_by(|| started.elapsed(), rounds, operations, ours, baseline)
}

/// Like [`compare`], by another clock.
///
/// # Panics
///
/// When `rounds` or `operations` is zero.
pub fn compare_by(
    clock: impl Fn() -> Duration,
    rounds: usize,
    operations: u32,
    mut ours: impl FnMut(),
    mut baseline: impl FnMut(),
) -> Comparison {
    assert!(rounds > 0 && operations > 0, "there is nothing to compare");
    let mut results = Vec::with_capacity(rounds);
    for round in 0..rounds + 1 {
        // Whoever goes first may pay for what the last one left behind: take turns.
        let (a, b) = if round % 2 == 0 {
            let a = time(&clock, operations, &mut ours);
            (a, time(&clock, operations, &mut baseline))
        } else {
            let b = time(&clock, operations, &mut baseline);
            (time(&clock, operations, &mut ours), b)
        };
        // The first round warms both up.
        if round > 0 {
            results.push((a / operations, b / operations, a.as_secs_f64() / b.as_secs_f64()));
        }
    }
    let ratios = || results.iter().map(|result| result.2);
    Comparison {
        ours: quartile(2, results.iter().map(|result| result.0)),
        baseline: quartile(2, results.iter().map(|result| result.1)),
        ratio: quartile(2, ratios()),
        spread: (quartile(1, ratios()), quartile(3, ratios())),
    }
}

/// How long this thread has had a processor: what others do on the machine is not in it.
#[must_use]
pub fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// How long the threads of this process whose names begin so have had a processor, those that
/// have ended not counted.
#[must_use]
pub fn threads_time(names: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |task: &std::path::Path| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        // The first number is the time on a processor, in nanoseconds (Linux, sched-stats.rst).
        let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos = times.split_whitespace().next()?.parse().ok()?;
        name.starts_with(names).then(|| Duration::from_nanos(nanos))
    };
    tasks.filter_map(|task| of(&task.path())).sum()
}

fn time(clock: &impl Fn() -> Duration, operations: u32, work: &mut impl FnMut()) -> Duration {
    let started = clock();
    for _ in 0..operations {
        work();
    }
    clock() - started
}

/// The quartile of that number; the second one is the median.
fn quartile<T: PartialOrd + Copy>(number: usize, values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() * number / 4]
}
