//! A readable account of a life.

use std::time::{Duration, Instant};

/// Lines of what happened, if somebody wants them.
#[derive(Debug)]
pub(super) struct Trace {
    start: Instant,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(start: Instant, wanted: bool) -> Self {
        Self { start, lines: wanted.then(Vec::new) }
    }

    /// Tells what happened at `now`; the words are made only where they are wanted.
    pub(super) fn tell(&mut self, now: Instant, words: impl FnOnce() -> String) {
        let at = self.since(now);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>11.6}  {}", at.as_secs_f64(), words()));
        }
    }

    /// The virtual time at `now`.
    pub(super) fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
