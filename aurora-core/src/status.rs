//! What an operator asks for: every instance at a glance, and where a statement would go.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::route::Because;
use crate::sql::{Classification, Target};
use crate::topology::{Health, Instance, InstanceId, Role, Topology};

/// The state of a cluster at one moment. Print it for a table, serialise it for a machine.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The identity the servers gave the cluster.
    pub cluster: Option<String>,
    /// Rises when membership, a role, health or an epoch changes.
    pub generation: u64,
    /// Why the topology may be incomplete, if it may.
    pub degraded: Option<String>,
    /// The instance that takes writes now.
    pub writer: Option<InstanceId>,
    /// Reads the writer served because no reader was usable.
    pub reads_without_reader: u64,
    /// Reads the writer served because no reader was known to be fresh enough.
    pub reads_without_fresh_reader: u64,
    /// Reads that waited for a reader to be fresh enough (`freshness_wait`).
    pub reads_that_waited_for_freshness: u64,
    /// Tasks of this library's own monitoring that died of a bug, and were started again.
    pub monitor_restarts: u64,
    /// Why the API of RDS told nothing when it was asked last, if so (feature `rds-api`). What it
    /// told before stands; routing does not depend on it.
    pub rds_problem: Option<String>,
    /// Every instance: the writer, the usable readers, the rest.
    pub instances: Vec<InstanceStatus>,
}

/// The state of one instance.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InstanceStatus {
    /// Its name.
    pub instance: InstanceId,
    /// Where it is, as `host:port`.
    pub address: String,
    /// What it is for.
    pub role: Role,
    /// Whether it can be used.
    pub health: Health,
    /// False while an operator keeps it out of use.
    pub online: bool,
    /// Rises when its role or address changes, or when it was lost.
    pub epoch: u64,
    /// How far it says it is behind; `None` is unknown.
    #[serde(rename = "lag_seconds", serialize_with = "seconds")]
    pub lag: Option<Duration>,
    /// How long ago the moment is as of which it was measured to be fresh; `None` is unknown.
    #[serde(rename = "fresh_seconds_ago", serialize_with = "seconds")]
    pub fresh_ago: Option<Duration>,
    /// Statements run on it, failed ones included.
    pub queries: u64,
    /// Statements among them that were writes.
    pub writes: u64,
    /// Statements that failed.
    pub errors: u64,
    /// Statements running now.
    pub in_flight: u64,
    /// Connections open now, the monitor's not counted.
    pub connections: u64,
    /// Moving average of the time a statement takes.
    #[serde(rename = "latency_seconds", serialize_with = "seconds")]
    pub latency: Option<Duration>,
    /// The availability zone it is in, once the API of RDS has told.
    pub availability_zone: Option<String>,
    /// Its class, such as `db.r6g.large`, once the API of RDS has told.
    pub class: Option<String>,
    /// How early it is promoted in a failover, 0 first, once the API of RDS has told.
    pub promotion_tier: Option<u8>,
    /// Its status in the API of RDS, once that has told; it decides nothing.
    pub rds_status: Option<String>,
    /// Whether it serves no reads because it is outside the custom endpoint of the URL.
    pub outside_endpoint: bool,
    /// What was last seen to go wrong, while it is not healthy.
    pub last_error: Option<String>,
}

fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

impl Status {
    pub(crate) fn new(
        topology: &Topology,
        counts: [u64; 4],
        rds_problem: Option<String>,
        now: Instant,
    ) -> Self {
        let [reads_without_reader, reads_without_fresh_reader, waited, monitor_restarts] = counts;
        Self {
            cluster: topology.cluster().map(str::to_owned),
            generation: topology.generation(),
            degraded: topology.degraded().map(str::to_owned),
            writer: topology.writer().map(|writer| writer.id().clone()),
            reads_without_reader,
            reads_without_fresh_reader,
            reads_that_waited_for_freshness: waited,
            monitor_restarts,
            rds_problem,
            instances: topology.instances().iter().map(|i| InstanceStatus::new(i, now)).collect(),
        }
    }
}

impl InstanceStatus {
    fn new(instance: &Instance, now: Instant) -> Self {
        let stats = instance.stats();
        let latency = stats.latency();
        Self {
            instance: instance.id.clone(),
            address: instance.address.to_string(),
            role: instance.role,
            health: instance.health,
            online: instance.online,
            epoch: instance.epoch,
            lag: instance.lag,
            fresh_ago: instance.fresh_as_of.map(|moment| now.saturating_duration_since(moment)),
            queries: stats.queries(),
            writes: stats.writes(),
            errors: stats.errors(),
            in_flight: stats.in_flight(),
            connections: stats.connections(),
            latency: (!latency.is_zero()).then_some(latency),
            availability_zone: instance.availability_zone().map(str::to_owned),
            class: instance.class().map(str::to_owned),
            promotion_tier: instance.promotion_tier(),
            rds_status: instance.rds_status().map(str::to_owned),
            outside_endpoint: instance.outside_endpoint,
            last_error: instance.last_error.as_deref().map(str::to_owned),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.instances.iter().map(|i| i.instance.as_str().len()).max().unwrap_or(0);
        writeln!(
            f,
            "{:width$}  role     health   lag       queries    errors  in flight  open  last error",
            "instance",
            width = width.max(8)
        )?;
        for i in &self.instances {
            let lag = i.lag.map_or_else(|| "unknown".to_owned(), millis);
            let health = match (i.online, i.health) {
                (false, _) => "offline".to_owned(),
                (true, Health::Online) if i.outside_endpoint && i.role == Role::Reader => {
                    "outside".to_owned()
                }
                (true, health) => health.to_string(),
            };
            let error = i.last_error.as_deref().unwrap_or("");
            writeln!(
                f,
                "{:width$}  {:7}  {health:8} {lag:9} {:8} {:8} {:9} {:6}  {error}",
                i.instance.as_str(),
                i.role,
                i.queries,
                i.errors,
                i.in_flight,
                i.connections,
                width = width.max(8)
            )?;
        }
        let served = [self.reads_without_reader, self.reads_without_fresh_reader];
        if served != [0, 0] {
            let [no_reader, not_fresh] = served;
            writeln!(
                f,
                "reads served by the writer: {no_reader} without a reader, {not_fresh} without a \
                 fresh one"
            )?;
        }
        if let Some(problem) = &self.rds_problem {
            writeln!(f, "the API of RDS tells nothing new: {problem}")?;
        }
        match &self.degraded {
            Some(reason) => writeln!(f, "topology degraded: {reason}"),
            None => Ok(()),
        }
    }
}

fn millis(lag: Duration) -> String {
    format!("{:.1} ms", lag.as_secs_f64() * 1e3)
}

/// Where a statement would go, and why.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether it needs the writer: `reader` or `writer`.
    pub route: &'static str,
    /// What in the statement decides that.
    pub reason: &'static str,
    /// Whether it may be run again after a lost connection.
    pub rerunnable: bool,
    /// The instance it would run on now; `None` would wait for one.
    pub instance: Option<InstanceId>,
    /// Why that instance.
    pub because: Option<Because>,
    /// For how long it would first wait for a reader that is fresh enough.
    #[serde(rename = "waits_seconds", serialize_with = "seconds")]
    pub waits: Option<Duration>,
    /// The generation of the topology this was decided in.
    pub generation: u64,
}

impl Explanation {
    pub(crate) fn new(
        classification: Classification,
        topology: &Topology,
        routed: Option<(&Instance, Because)>,
        freshness_wait: Duration,
    ) -> Self {
        let not_fresh = routed.is_some_and(|(_, because)| because == Because::NotFresh);
        Self {
            route: match classification.route() {
                Target::Reader => "reader",
                Target::Writer => "writer",
            },
            reason: classification.reason(),
            rerunnable: classification.rerunnable(),
            instance: routed.map(|(instance, _)| instance.id.clone()),
            because: routed.map(|(_, because)| because),
            waits: (not_fresh && !freshness_wait.is_zero()).then_some(freshness_wait),
            generation: topology.generation(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to a {} ({})", self.route, self.reason)?;
        match (&self.instance, self.because) {
            (Some(instance), Some(because)) => {
                write!(f, ": {instance}, {because}")?;
                match self.waits {
                    Some(wait) => write!(f, " (after a wait of at most {wait:?})"),
                    None => Ok(()),
                }
            }
            (_, _) => f.write_str(": waits, no instance can serve it now"),
        }
    }
}
