//! Until when a statement may wait.

use std::time::{Duration, Instant};

use super::Cluster;
use crate::config::Config;

/// When a statement began, until when it may wait, and whether an idle connection will do for it.
///
/// The clock is read as seldom as possible: on many virtual machines that is the dearest thing on
/// the way of a statement.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    at: Instant,
    takes_idle: bool,
}

impl Deadline {
    /// That of a statement which begins now: `failover_timeout` from now.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let began = Instant::now();
        Self { began, at: began + cluster.config().failover_timeout(), takes_idle: true }
    }

    /// The same, or `limit` if that comes first.
    #[must_use]
    pub fn no_later_than(self, limit: Option<Instant>) -> Self {
        Self { at: limit.map_or(self.at, |limit| limit.min(self.at)), ..self }
    }

    /// The same for an attempt that an idle connection will do for, or will not: see
    /// [`Recovery::takes_idle`](crate::session::Recovery::takes_idle).
    #[must_use]
    pub fn taking_idle(self, takes_idle: bool) -> Self {
        Self { takes_idle, ..self }
    }

    /// Whether an idle connection will do.
    pub(crate) fn takes_idle(self) -> bool {
        self.takes_idle
    }

    /// When the statement began.
    #[must_use]
    pub fn began(self) -> Instant {
        self.began
    }

    /// Until when it may wait.
    #[must_use]
    pub fn at(self) -> Instant {
        self.at
    }

    /// Whether that moment is over.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// How long making a connection may take from now on. A statement that waits for no instance
    /// (`failover_timeout` of zero) still may connect to the one that is there.
    #[must_use]
    pub fn to_connect(self, config: &Config) -> Duration {
        if config.failover_timeout().is_zero() {
            return config.connect_timeout();
        }
        config.connect_timeout().min(self.left())
    }

    /// Whether a connect that begins now gets less than `connect_timeout`: that it is not done by
    /// then says nothing about the instance.
    #[must_use]
    pub fn cuts_connect(self, config: &Config) -> bool {
        self.to_connect(config) < config.connect_timeout()
    }

    /// Until when it may wait for its turn to connect. One that waits for no instance still waits
    /// for its turn to connect to the one that is there.
    pub(crate) fn to_queue(self, config: &Config) -> Instant {
        if config.failover_timeout().is_zero() {
            return self.began + config.connect_timeout();
        }
        self.at
    }

    fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}
