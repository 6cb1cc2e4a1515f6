//! Who is in the cluster: immutable snapshots, ordered so that candidates are a slice.

mod instance;

use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::instance::Turn;
pub use self::instance::{Health, Instance, InstanceId, Role};

/// The writer's log, at some moments of the recent past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub(crate) incarnation: Option<u64>,
    /// Where no incarnation is written down.
    pub(crate) reign: Option<Reign>,
    /// When the writer was asked, and where it was: everything acknowledged before is in the log
    /// up to that position. Rising in both parts, and not empty.
    pub(crate) moments: Arc<[(Instant, u64)]>,
}

impl Sampled {
    /// The first position that was asked for at `since` or later; `None` for any.
    pub(crate) fn position_since(&self, since: Option<Instant>) -> Option<u64> {
        let place = match since {
            Some(since) => self.moments.partition_point(|&(asked_at, _)| asked_at < since),
            None => self.moments.len().checked_sub(1)?,
        };
        self.moments.get(place).map(|&(_, position)| position)
    }

    /// The first moment whose position is not before `position`.
    pub(crate) fn moment_of(&self, position: u64) -> Option<Instant> {
        let place = self.moments.partition_point(|&(_, sampled)| sampled < position);
        self.moments.get(place).map(|&(asked_at, _)| asked_at)
    }
}

/// A part of an earlier incarnation that is certainly part of the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inherited {
    pub(crate) incarnation: u64,
    /// Up to here at least.
    pub(crate) position: u64,
}

/// A part of the history of MySQL or MariaDB: what one writer wrote from its promotion to the next
/// one's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reign {
    /// The origin of its transactions.
    pub(crate) origin: Arc<str>,
    /// How much there was of other origins: what tells it from other reigns of the same server.
    pub(crate) began: u64,
}

/// A part of an earlier reign that is certainly part of the present one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) reign: Reign,
    /// Up to here at least.
    pub(crate) position: u64,
}

/// The cluster at one moment: immutable, and in selection order.
///
/// Instances stand in the order writer, usable readers (freshest first), the rest, so that the
/// candidates of every request are one slice.
#[derive(Clone, Debug)]
pub struct Topology {
    pub(crate) generation: u64,
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) degraded: Option<Arc<str>>,
    pub(crate) sampled: Option<Sampled>,
    /// In the order of the incarnations.
    pub(crate) inherited: Arc<[Inherited]>,
    /// In the order in which they ended.
    pub(crate) ended: Arc<[Ended]>,
    instances: Box<[Instance]>,
    /// The places of all instances, by name: two snapshots are compared without sorting them.
    by_name: Box<[usize]>,
    writers: usize,
    readers: usize,
}

impl Topology {
    /// Puts `instances` in selection order.
    pub(crate) fn new(mut instances: Vec<Instance>) -> Self {
        instances.sort_by(|a, b| {
            rank(a)
                .cmp(&rank(b))
                .then_with(|| b.fresh_as_of.cmp(&a.fresh_as_of))
                .then_with(|| a.id.cmp(&b.id))
        });
        let writers = instances.iter().take_while(|i| rank(i) == 0).count();
        let readers = instances[writers..].iter().take_while(|i| rank(i) == 1).count();
        let mut by_name: Box<[usize]> = (0..instances.len()).collect();
        by_name.sort_unstable_by(|&a, &b| instances[a].id.cmp(&instances[b].id));
        give_turns(&mut instances, &by_name, writers..writers + readers);
        debug_assert!(writers <= 1, "the engine elects at most one writer");
        Self {
            generation: 0,
            cluster: None,
            degraded: None,
            sampled: None,
            inherited: Arc::default(),
            ended: Arc::default(),
            instances: instances.into(),
            by_name,
            writers,
            readers,
        }
    }

    /// Rises when membership, a role, health or an epoch changes; never for lag alone.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The identity the servers gave the cluster.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Why the topology may be incomplete, while the servers give no good answer about it.
    #[must_use]
    pub fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    /// All instances, in selection order.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The writer, if one is known that takes writes now.
    #[must_use]
    pub fn writer(&self) -> Option<&Instance> {
        self.instances[..self.writers].first()
    }

    /// The usable readers, freshest first.
    #[must_use]
    pub fn readers(&self) -> &[Instance] {
        &self.instances[self.writers..self.writers + self.readers]
    }

    /// The usable readers that show everything acknowledged before `required`.
    #[must_use]
    pub fn readers_fresh_as_of(&self, required: Instant) -> &[Instance] {
        let readers = self.readers();
        let fresh = readers.partition_point(|r| r.fresh_as_of >= Some(required));
        &readers[..fresh]
    }

    /// The instance of that name.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == *id)
    }

    /// Whether anything but freshness differs.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        self.by_name.len() != other.by_name.len()
            || self
                .by_name
                .iter()
                .zip(&other.by_name)
                .any(|(a, b)| self.instances[*a].identity() != other.instances[*b].identity())
    }
}

/// Tells the readers, which stand at `places`, whose turn is when.
fn give_turns(instances: &mut [Instance], by_name: &[usize], places: std::ops::Range<usize>) {
    let (first, of) = (places.start, places.len());
    for (turn, place) in by_name.iter().filter(|place| places.contains(place)).enumerate() {
        instances[first + turn].turn.seat = place - first;
        let own = &mut instances[*place].turn;
        (own.place, own.of) = (turn, of);
    }
}

fn rank(instance: &Instance) -> u8 {
    match (instance.is_usable(), instance.role) {
        (true, Role::Writer) => 0,
        (true, Role::Reader) if !instance.outside_endpoint => 1,
        (true, Role::Reader | Role::Unknown) | (false, _) => 2,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Address;

    /// An online instance named `name`, for tests of everything that reads a topology.
    pub(crate) fn instance(name: &str, role: Role, fresh_as_of: Option<Instant>) -> Instance {
        Instance {
            id: name.into(),
            address: Address::new(name, 5432),
            ip: None,
            role,
            health: Health::Online,
            epoch: 1,
            online: true,
            confirmed_at: None,
            watched_since: None,
            fresh_as_of,
            lag: None,
            last_error: None,
            failure: None,
            weight: 100,
            turn: Turn::default(),
            stats: Arc::new(crate::stats::InstanceStats::new(Instant::now())),
            details: None,
            outside_endpoint: false,
        }
    }

    #[test]
    fn candidates_are_a_slice_freshest_first() {
        let t0 = Instant::now();
        let at = |secs| Some(t0 + Duration::from_secs(secs));
        let mut lost = instance("lost", Role::Reader, at(9));
        lost.health = Health::Lost;
        let topology = Topology::new(vec![
            lost,
            instance("unknown-lag", Role::Reader, None),
            instance("old", Role::Reader, at(1)),
            instance("writer", Role::Writer, None),
            instance("fresh", Role::Reader, at(5)),
        ]);
        let names =
            |slice: &[Instance]| slice.iter().map(|i| i.id.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(topology.writer().unwrap().id.as_str(), "writer");
        assert_eq!(names(topology.readers()), ["fresh", "old", "unknown-lag"]);
        assert_eq!(names(topology.readers_fresh_as_of(t0 + Duration::from_secs(2))), ["fresh"]);
        assert_eq!(names(topology.readers_fresh_as_of(t0 + Duration::from_secs(6))), [""; 0]);
    }

    #[test]
    fn a_reader_outside_the_custom_endpoint_is_no_candidate() {
        let mut outside = instance("outside", Role::Reader, None);
        outside.outside_endpoint = true;
        let mut writer = instance("writer", Role::Writer, None);
        writer.outside_endpoint = true;
        let inside = instance("inside", Role::Reader, None);
        let topology = Topology::new(vec![outside.clone(), writer, inside]);
        assert_eq!(topology.writer().unwrap().id.as_str(), "writer", "writes go to it anyway");
        let readers: Vec<_> = topology.readers().iter().map(|reader| reader.id.as_str()).collect();
        assert_eq!(readers, ["inside"]);
        let before = Topology::new(vec![instance("outside", Role::Reader, None)]);
        assert!(Topology::new(vec![outside]).differs_from(&before));
    }

    #[test]
    fn freshness_alone_is_no_difference() {
        let now = Instant::now();
        let a = Topology::new(vec![instance("a", Role::Reader, None)]);
        let b = Topology::new(vec![instance("a", Role::Reader, Some(now))]);
        let c = Topology::new(vec![instance("a", Role::Writer, Some(now))]);
        assert!(!a.differs_from(&b));
        assert!(b.differs_from(&c));
    }
}
