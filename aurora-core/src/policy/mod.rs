//! Which of several eligible instances serves the next statement?

mod least_connections;
mod random;
mod round_robin;
pub(crate) mod slow_start;

use std::fmt;

pub use self::least_connections::LeastConnections;
pub use self::random::Random;
pub use self::round_robin::RoundRobin;
use crate::config::PolicyKind;
use crate::topology::Instance;

/// The instances a statement may run on: at least one, by construction.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    instances: &'a [Instance],
}

impl<'a> Candidates<'a> {
    /// The candidates in `instances`; `None` when there are none.
    #[must_use]
    pub fn new(instances: &'a [Instance]) -> Option<Self> {
        if instances.is_empty() { None } else { Some(Self { instances }) }
    }

    /// How many there are: one or more.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "they are never empty")]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// The candidate at `index`, counted round: any number is good.
    #[must_use]
    pub fn at(&self, index: usize) -> &'a Instance {
        &self.instances[index % self.instances.len()]
    }

    /// All candidates, freshest first.
    pub fn iter(&self) -> std::slice::Iter<'a, Instance> {
        self.instances.iter()
    }
}

impl<'a> IntoIterator for Candidates<'a> {
    type Item = &'a Instance;
    type IntoIter = std::slice::Iter<'a, Instance>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A strategy of selection among candidates that are all eligible.
///
/// A policy cannot fail, and cannot pick what was not offered.
///
/// # Examples
///
/// ```
/// use aurora_core::{Candidates, Instance, Policy};
///
/// /// Always the freshest reader.
/// #[derive(Debug)]
/// struct Freshest;
///
/// impl Policy for Freshest {
///     fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance {
///         candidates.at(0)
///     }
/// }
/// ```
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Picks one of `candidates`.
    fn pick<'a>(&self, candidates: Candidates<'a>) -> &'a Instance;
}

/// The policy of that kind.
pub(crate) fn of_kind(kind: PolicyKind) -> Box<dyn Policy> {
    match kind {
        PolicyKind::LeastConnections => Box::new(LeastConnections),
        PolicyKind::Random => Box::new(Random),
        PolicyKind::RoundRobin => Box::new(RoundRobin::default()),
    }
}
