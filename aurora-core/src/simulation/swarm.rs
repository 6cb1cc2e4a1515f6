//! What a seed makes of its world: the kind of cluster, its pace, and which faults it knows.
//!
//! Every seed leaves most kinds of faults out: those that are there then meet more often, in
//! combinations that a world with all of them at once would hardly see.

use std::time::Duration;

/// How servers keep what they acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Shared storage: one log, one writer at a time, nothing acknowledged is lost.
    Aurora,
    /// Each server has its log; acknowledged means: in the log of the writer.
    Asynchronous,
    /// Acknowledged means: in the log of a standby too.
    Synchronous,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Backend,
    /// A server's clock is put forward or back. Only seeds that choose it have it.
    Clock,
    Crash,
    Cut,
    Full,
    HalfCut,
    Hang,
    Lie,
    MachineLost,
    MonitorDies,
    Names,
    NewEngine,
    Offline,
    PauseReplay,
    Replication,
    Slow,
    SplitBrain,
    Standstill,
    Switchover,
}

/// All but those that a seed chooses apart.
pub(super) const FAULTS: [Fault; 18] = [
    Fault::Backend,
    Fault::Crash,
    Fault::Cut,
    Fault::Full,
    Fault::HalfCut,
    Fault::Hang,
    Fault::Lie,
    Fault::MachineLost,
    Fault::MonitorDies,
    Fault::Names,
    Fault::NewEngine,
    Fault::Offline,
    Fault::PauseReplay,
    Fault::Replication,
    Fault::Slow,
    Fault::SplitBrain,
    Fault::Standstill,
    Fault::Switchover,
];

/// The settings of one seed.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) kind: Kind,
    pub(super) servers: usize,
    pub(super) clients: usize,
    pub(super) faults: Vec<Fault>,
    /// The average time between two faults.
    pub(super) pause: Duration,
    /// How long faults happen.
    pub(super) trouble: Duration,
    /// How long the operator takes to act on a failure.
    pub(super) reaction: Duration,
    pub(super) detection: Duration,
    /// The pause between two questions in times of trouble, or while fresh readers are wanted.
    pub(super) hurry: Duration,
    pub(super) failover_timeout: Duration,
    pub(super) think: Duration,
    pub(super) latency: Duration,
    pub(super) replication_delay: Duration,
    pub(super) replay_delay: Duration,
    /// How many of a hundred messages are sent twice before they arrive.
    pub(super) loss: u8,
    pub(super) reader_fallback: bool,
    /// Whether servers report log positions; else lag alone tells how fresh they are.
    pub(super) positions: bool,
    pub(super) max_connections: usize,
}

impl Swarm {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        let ms = Duration::from_millis;
        // What came later to the model is drawn apart, so that older seeds keep their lives.
        let mut later = fastrand::Rng::with_seed(!rng.clone().u64(..));
        let kinds = [Kind::Aurora, Kind::Synchronous, Kind::Synchronous, Kind::Asynchronous];
        let known = rng.usize(1..=5);
        let mut faults = FAULTS.to_vec();
        rng.shuffle(&mut faults);
        faults.truncate(known);
        let kind = kinds[rng.usize(..kinds.len())];
        let positions = kind != Kind::Aurora || later.u8(..4) > 0;
        // Against a wrong clock only positions help.
        if positions && later.u8(..4) == 0 {
            faults.push(Fault::Clock);
        }
        let hurry = ms([10, 20, 40, 80][later.usize(..4)]);
        Self {
            kind,
            hurry,
            servers: rng.usize(2..=5),
            clients: rng.usize(2..=6),
            faults,
            pause: ms(rng.u64(500..5000)),
            trouble: ms(rng.u64(5_000..18_000)),
            reaction: ms(rng.u64(50..4000)),
            detection: ms([2500, 2500, 1000, 5000][rng.usize(..4)]),
            failover_timeout: ms([30_000, 5_000, 1_000, 10_000][rng.usize(..4)]),
            think: ms(rng.u64(20..200)),
            latency: Duration::from_micros([100, 300, 1000, 5000][rng.usize(..4)]),
            replication_delay: ms([1, 3, 20, 200][rng.usize(..4)]),
            replay_delay: ms([1, 1, 30, 400][rng.usize(..4)]),
            loss: [0, 0, 1, 5][rng.usize(..4)],
            reader_fallback: rng.u8(..4) > 0,
            positions,
            max_connections: 100,
        }
    }
}
