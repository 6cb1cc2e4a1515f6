//! [`Attempts`]: what to do about an attempt that failed.

use std::time::{Duration, Instant};

use super::options::RunOptions;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Outcome};
use crate::session::{Place, Trouble};
use crate::topology::InstanceId;

/// The longest pause before the second attempt; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How far an attempt had gone when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its COMMIT was not sent.
    Work,
    /// Its COMMIT was sent, or may have been.
    Commit,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How far it had gone.
    pub phase: Phase,
    /// What went wrong; [`Trouble::Statement`] is the caller's own fault.
    pub trouble: Trouble,
    /// Where, if it had got anywhere.
    pub place: Option<Place>,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run it again after this pause.
    Again(Duration),
    /// Find out whether it was committed, until then.
    Resolve(Instant),
    /// It is the caller's own fault: give the error back as it is. Nothing was applied.
    GiveBack,
    /// There is no time for another attempt: give [`Attempts::error`] back. Nothing was applied.
    OutOfTime,
}

/// The attempts to run one transaction. Pure: time and the seed of jitter are arguments.
#[derive(Clone, Debug)]
pub struct Attempts {
    budget: Duration,
    until: Instant,
    begun: u32,
    is_read_only: bool,
    refused_by: Option<(InstanceId, u64)>,
    random: fastrand::Rng,
}

impl Attempts {
    /// None yet, at `now`.
    #[must_use]
    pub fn new(options: &RunOptions, config: &Config, now: Instant, seed: u64) -> Self {
        let budget = options.budget().unwrap_or_else(|| config.failover_timeout());
        Self {
            budget,
            until: now + budget,
            begun: 0,
            is_read_only: options.is_read_only(),
            refused_by: None,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Until when attempts may begin.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// How many were begun.
    #[must_use]
    pub fn begun(&self) -> u32 {
        self.begun
    }

    /// Counts another one.
    pub fn begin(&mut self) {
        self.begun += 1;
    }

    /// Decides about an attempt that failed.
    #[must_use]
    pub fn next(&mut self, failed: &Failed, now: Instant) -> Next {
        match (failed.phase, failed.trouble) {
            (_, Trouble::Statement) => Next::GiveBack,
            (Phase::Commit, Trouble::Lost) if !self.is_read_only => {
                Next::Resolve(now + self.budget)
            }
            (_, Trouble::ReadOnly) if self.is_refused_for_good(failed) => Next::GiveBack,
            (_, Trouble::Conflict | Trouble::Lost | Trouble::NotSent | Trouble::ReadOnly) => {
                self.again(now)
            }
        }
    }

    /// What to do about an attempt that was certainly not applied, and not by its own fault.
    #[must_use]
    pub fn again(&mut self, now: Instant) -> Next {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.begun.saturating_sub(1).min(16));
        let pause = longest.min(LONGEST_PAUSE).mul_f64(self.random.f64());
        if now + pause < self.until { Next::Again(pause) } else { Next::OutOfTime }
    }

    /// Whether the transaction is read-only by choice: by its own, or because the instance still
    /// is the writer, asked again, and refuses again.
    fn is_refused_for_good(&mut self, failed: &Failed) -> bool {
        let who = failed.place.as_ref().map(|place| (place.instance.clone(), place.epoch));
        let before = std::mem::replace(&mut self.refused_by, who);
        self.is_read_only || (before.is_some() && before == self.refused_by)
    }

    /// The error for a transaction that was not applied, and will not be tried again.
    #[must_use]
    pub fn error(&self, failed: &Failed) -> Error {
        let what = match failed.trouble {
            Trouble::Conflict => "it met a serialization failure or a deadlock",
            Trouble::Lost => "its connection was lost",
            Trouble::NotSent => "there was no connection for it",
            Trouble::ReadOnly => "the instance refused to write",
            Trouble::Statement => "a statement failed",
        };
        let text = format!("the transaction was not applied{}; at last {what}", self.times());
        let error = Error::new(ErrorKind::Deadline, text).with_outcome(Outcome::NotApplied);
        on(error, failed.place.as_ref())
    }

    /// The error for a COMMIT that stays in doubt because of `cause`.
    #[must_use]
    pub fn in_doubt(&self, place: &Place, cause: Error) -> Error {
        let text = format!(
            "the connection was lost while COMMIT was under way{}, and it could not be found out \
             what became of it: {cause}",
            self.times()
        );
        let error = Error::new(ErrorKind::ConnectionLost, text).with_outcome(Outcome::Unknown);
        on(error.caused_by(cause), Some(place))
    }

    fn times(&self) -> String {
        match self.begun {
            1 => " in 1 attempt".to_owned(),
            begun => format!(" in {begun} attempts"),
        }
    }
}

fn on(error: Error, place: Option<&Place>) -> Error {
    match place {
        Some(place) => error.on(&place.instance),
        None => error,
    }
}
