//! Where does a statement go? The only eligibility rules.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::config::Freshness;
use crate::policy::{Candidates, Policy, slow_start};
use crate::topology::{Instance, InstanceId, Topology};

/// What a statement needs of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// A reader that shows everything acknowledged before the moment, if one is given.
    Read {
        /// The moment; `None` lets any usable reader serve.
        fresh_as_of: Option<Instant>,
    },
    /// The writer.
    Write,
}

impl Need {
    /// What a read with that promise of freshness needs at `now`, in a session whose last write
    /// ended at `last_write`. The clock is asked only where it is needed.
    #[must_use]
    pub fn read(
        freshness: Freshness,
        last_write: Option<Instant>,
        now: impl FnOnce() -> Instant,
    ) -> Self {
        match freshness {
            Freshness::Bounded(age) => Self::Read { fresh_as_of: now().checked_sub(age) },
            Freshness::Eventual => Self::Read { fresh_as_of: None },
            Freshness::Session => Self::Read { fresh_as_of: last_write },
            Freshness::Strong => Self::Write,
        }
    }
}

/// Why an instance was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Because {
    /// A reader serves reads.
    IsReader,
    /// The writer is needed.
    IsWriter,
    /// A read went to the writer: there is no usable reader.
    NoReader,
    /// A read went to the writer: no reader is known to be fresh enough.
    NotFresh,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IsReader => "a reader serves reads",
            Self::IsWriter => "only the writer can serve it",
            Self::NoReader => "no reader is usable, so the writer serves the read",
            Self::NotFresh => {
                "no reader is known to be fresh enough, so the writer serves the read"
            }
        })
    }
}

/// Nothing can serve the statement in this topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Reader,
    Writer,
}

impl Missing {
    /// What is missing while nothing serves `need`.
    pub(crate) fn of(need: Need) -> Self {
        match need {
            Need::Read { .. } => Self::Reader,
            Need::Write => Self::Writer,
        }
    }
}

/// Picks the instance that serves `need`.
///
/// A session that needs freshness stays with the writer until a reader is measured to have caught
/// up: unknown is never fresh. Without a usable reader the writer serves reads, unless
/// `reader_fallback` is off.
pub(crate) fn route<'a>(
    topology: &'a Topology,
    need: Need,
    reader_fallback: bool,
    policy: &dyn Policy,
) -> Result<(&'a Instance, Because), Missing> {
    if need == Need::Write {
        return writer(topology, Because::IsWriter).ok_or(Missing::Writer);
    }
    if let Some(candidates) = Candidates::new(readers(topology, need)) {
        return Ok((slow_start::pick(policy, candidates), Because::IsReader));
    }
    if topology.readers().is_empty() {
        return reader_fallback
            .then(|| writer(topology, Because::NoReader))
            .flatten()
            .ok_or(Missing::Reader);
    }
    // Freshness was asked for and the writer always has it: this is no fallback one may switch off.
    writer(topology, Because::NotFresh).ok_or(Missing::Reader)
}

/// Like [`route`], for a session that has read from `reader`: it stays there while that one is
/// among those that may serve it, so that one unit of work sees one reader's order of commits.
pub(crate) fn route_staying<'a>(
    topology: &'a Topology,
    need: Need,
    reader_fallback: bool,
    policy: &dyn Policy,
    reader: Option<&InstanceId>,
) -> Result<(&'a Instance, Because), Missing> {
    let known =
        reader.and_then(|id| readers(topology, need).iter().find(|reader| reader.id == *id));
    match known {
        Some(instance) => Ok((instance, Because::IsReader)),
        None => route(topology, need, reader_fallback, policy),
    }
}

/// The readers among which [`route`] picks for `need`.
pub(crate) fn readers(topology: &Topology, need: Need) -> &[Instance] {
    match need {
        Need::Read { fresh_as_of: Some(required) } => topology.readers_fresh_as_of(required),
        Need::Read { fresh_as_of: None } => topology.readers(),
        Need::Write => &[],
    }
}

fn writer(topology: &Topology, because: Because) -> Option<(&Instance, Because)> {
    topology.writer().map(|instance| (instance, because))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::Random;
    use crate::topology::{Role, tests::instance};

    fn names(topology: &Topology, need: Need) -> Result<(&str, Because), Missing> {
        route(topology, need, true, &Random).map(|(i, because)| (i.id().as_str(), because))
    }

    #[test]
    fn a_session_reads_from_the_writer_until_a_reader_has_caught_up() {
        let wrote = Instant::now();
        let at = |after: u64| Some(wrote + Duration::from_millis(after));
        let need = Need::read(Freshness::Session, Some(wrote), || wrote);
        let with = |fresh| {
            Topology::new(vec![
                instance("w", Role::Writer, None),
                instance("r", Role::Reader, fresh),
            ])
        };
        assert_eq!(names(&with(None), need), Ok(("w", Because::NotFresh)));
        assert_eq!(names(&with(at(0)), need), Ok(("r", Because::IsReader)));
        assert_eq!(names(&with(at(5)), need), Ok(("r", Because::IsReader)));
    }

    #[test]
    fn reads_fall_back_to_the_writer_only_where_that_is_allowed() {
        let alone = Topology::new(vec![instance("w", Role::Writer, None)]);
        let need = Need::Read { fresh_as_of: None };
        assert_eq!(names(&alone, need), Ok(("w", Because::NoReader)));
        let refused = route(&alone, need, false, &Random).map(|_| ());
        assert_eq!(refused, Err(Missing::Reader));
    }

    #[test]
    fn without_a_writer_reads_go_on_and_writes_wait() {
        let headless = Topology::new(vec![instance("r", Role::Reader, None)]);
        assert_eq!(names(&headless, Need::Write), Err(Missing::Writer));
        let need = Need::read(Freshness::Eventual, Some(Instant::now()), Instant::now);
        assert_eq!(names(&headless, need), Ok(("r", Because::IsReader)));
        let strong = Need::read(Freshness::Strong, None, Instant::now);
        assert_eq!(names(&headless, strong), Err(Missing::Writer));
    }

    #[test]
    fn a_session_stays_with_its_reader_while_that_one_may_serve_it() {
        let wrote = Instant::now();
        let at = |after: u64| Some(wrote + Duration::from_millis(after));
        let topology = Topology::new(vec![
            instance("w", Role::Writer, None),
            instance("b", Role::Reader, at(0)),
            instance("c", Role::Reader, at(9)),
        ]);
        let stays = |reader: &str, required| {
            let need = Need::Read { fresh_as_of: required };
            let routed = route_staying(&topology, need, true, &Random, Some(&reader.into()));
            routed.map(|(i, because)| (i.id().as_str().to_owned(), because)).unwrap()
        };
        let served = |name: &str, because| (name.to_owned(), because);
        for _ in 0..20 {
            assert_eq!(stays("b", None), served("b", Because::IsReader));
            assert_eq!(stays("b", at(0)), served("b", Because::IsReader));
            assert_eq!(stays("b", at(5)), served("c", Because::IsReader));
            assert_eq!(stays("b", at(10)), served("w", Because::NotFresh));
            assert_ne!(stays("w", None), served("w", Because::IsReader), "it is no reader");
        }
        let write = route_staying(&topology, Need::Write, true, &Random, Some(&"b".into()));
        assert_eq!(write.map(|(i, _)| i.id().as_str()), Ok("w"));
    }
}
