//! What is shown while the load runs.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use aurora_core::Topology;

use crate::score::{Place, Score};
use crate::screen::{COLUMNS, Screen};

/// Rates are averages over this long.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines of the journal in a frame.
const SHOWN: usize = 9;

/// Shows the score again and again.
pub(crate) struct View {
    title: String,
    total: Duration,
    samples: VecDeque<(Instant, Vec<(u64, u64)>)>,
    told: usize,
    next_line: Duration,
}

impl View {
    pub(crate) fn new(title: String, total: Duration) -> Self {
        Self { title, total, samples: VecDeque::new(), told: 0, next_line: Duration::ZERO }
    }

    /// Shows the present state.
    pub(crate) fn show(&mut self, screen: &mut Screen, score: &Score, topology: &Topology) {
        self.sample(score);
        if screen.is_live() {
            screen.frame(&self.frame(score, topology));
            return;
        }
        let journal = score.journal_from(self.told);
        self.told += journal.len();
        journal.iter().for_each(|entry| screen.line(journal_line(entry)));
        if score.elapsed() >= self.next_line {
            self.next_line += Duration::from_secs(1);
            screen.line(self.one_line(score));
        }
    }

    fn sample(&mut self, score: &Score) {
        let now = Instant::now();
        self.samples.push_back((now, score.counts()));
        while self.samples.len() > 2 && self.samples[1].0 + WINDOW <= now {
            self.samples.pop_front();
        }
    }

    /// Reads and writes per second of an instance.
    fn rates(&self, place: usize) -> (f64, f64) {
        let (Some((t0, first)), Some((t1, last))) = (self.samples.front(), self.samples.back())
        else {
            return (0.0, 0.0);
        };
        let time = (*t1 - *t0).as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| (now - then) as f64 / time;
        (rate(last[place].0, first[place].0), rate(last[place].1, first[place].1))
    }

    fn frame(&self, score: &Score, topology: &Topology) -> Vec<String> {
        let elapsed = score.elapsed().min(self.total);
        let mut lines = vec![
            format!(
                "{}   {:.1} of {:.0} s",
                self.title,
                elapsed.as_secs_f64(),
                self.total.as_secs_f64()
            ),
            String::new(),
            format!(
                "{:<20}{:<9}{:<9}{:>9}{:>10}{:>12}",
                "instance", "role", "health", "reads/s", "writes/s", "lag"
            ),
        ];
        for (index, place) in score.places.iter().enumerate() {
            lines.push(self.row(index, place, topology));
        }
        lines.push(String::new());
        lines.push(totals(score));
        lines.push(String::new());
        lines.push("events".to_owned());
        let journal = score.journal_from(0);
        let first = journal.len().saturating_sub(SHOWN);
        lines.extend(journal[first..].iter().map(journal_line));
        lines.resize(lines.len() + SHOWN - (journal.len() - first), String::new());
        lines
    }

    fn row(&self, index: usize, place: &Place, topology: &Topology) -> String {
        let (reads, writes) = self.rates(index);
        let instance = topology.instances().iter().find(|i| i.ip() == Some(place.address));
        let role = instance.map_or_else(|| "-".to_owned(), |i| i.role().to_string());
        let health = instance.map_or_else(|| "-".to_owned(), |i| i.health().to_string());
        let lag = instance
            .and_then(|instance| instance.lag())
            .map_or_else(|| "-".to_owned(), |lag| format!("{:.1} ms", lag.as_secs_f64() * 1000.0));
        format!(
            "{:<20}{:<9}{:<9}{reads:>9.0}{writes:>10.0}{lag:>12}",
            place.name,
            role.trim_end(),
            health.trim_end()
        )
    }

    /// The state in one line of at most 100 columns.
    fn one_line(&self, score: &Score) -> String {
        let each = |which: fn((f64, f64)) -> f64| -> String {
            let rate = |place| format!("{:5.0}", which(self.rates(place)));
            (0..score.places.len()).map(rate).collect()
        };
        format!(
            "{:5.1} s  reads/s {}  writes/s {}  written {}, failed reads {}",
            score.elapsed().as_secs_f64(),
            each(|rates| rates.0),
            each(|rates| rates.1),
            score.acknowledged.load(Relaxed),
            score.failed_reads.load(Relaxed),
        )
    }
}

fn totals(score: &Score) -> String {
    format!(
        "acknowledged {}  unknown {}  not applied {}  failed reads {}  refused {}",
        score.acknowledged.load(Relaxed),
        score.unknown.load(Relaxed),
        score.not_applied.load(Relaxed),
        score.failed_reads.load(Relaxed),
        score.refused_read_only.load(Relaxed),
    )
}

/// One event; the JSON object has it in full.
fn journal_line((at, line): &(Duration, String)) -> String {
    format!("{:8.3} s  {line}", at.as_secs_f64()).chars().take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_second_and_a_line_fits_the_screen() {
        let place = |last: u8| (format!("127.20.100.{last}:5432"), [127, 20, 100, last].into());
        let score = Score::new((1..=3).map(place));
        score.acknowledged.store(9_999_999, Relaxed);
        let mut view = View::new("test".to_owned(), Duration::from_secs(25));
        let now = Instant::now();
        let counts = |reads, writes| vec![(0, 0), (reads, writes), (0, 0)];
        view.samples.push_back((now, counts(100, 10)));
        view.samples.push_back((now + Duration::from_millis(500), counts(1100, 60)));
        let (reads, writes) = view.rates(1);
        assert!((reads - 2000.0).abs() < 1e-6 && (writes - 100.0).abs() < 1e-6);
        let line = view.one_line(&score);
        assert!(line.contains(" 2000 ") && line.chars().count() <= COLUMNS, "{line}");
    }

    #[test]
    fn a_long_event_is_cut() {
        let line = journal_line(&(Duration::from_millis(7167), "x".repeat(300)));
        assert!(line.starts_with("   7.167 s  x"));
        assert_eq!(line.chars().count(), COLUMNS);
    }
}
