//! What can happen, and in which steps; pure.

use std::time::Duration;

use clap::ValueEnum;
use test_kit::chaos::{Aim, Direction, Fault as Disturbance, Loss, Mishap};

/// Something that happens to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// The writer is killed, and a reader promoted.
    KillWriter,
    /// The writer is killed, a reader promoted and killed, and the last one promoted.
    KillTwice,
    /// The writer's role is handed over in an orderly way.
    Switchover,
    /// The writer is stopped in its tracks, and a reader promoted; later the old one goes on.
    PauseWriterAndPromote,
    /// The writer is stopped in its tracks for a while.
    PauseWriter,
    /// A reader is stopped in its tracks for a while.
    PauseReader,
    /// The writer is restarted.
    RestartWriter,
    /// A reader is restarted.
    RestartReader,
    /// The writer is killed and started again.
    CrashWriter,
    /// A reader is killed and started again.
    CrashReader,
    /// A process of the writer crashes, so that the server ends all its sessions.
    CrashBackend,
    /// The writer vanishes from the network, and a reader is promoted.
    BlackholeWriterAndPromote,
    /// The writer vanishes from the network for a while.
    BlackholeWriter,
    /// A reader vanishes from the network for a while.
    BlackholeReader,
    /// What the writer says is lost for a while; what it is told is not.
    LoseReplies,
    /// All connections are reset.
    ResetAll,
    /// Servers end their answers, and go on to hear requests.
    HalfClose,
    /// Everything takes longer, by a varying time.
    SlowNetwork,
    /// Little fits through the connections to a reader.
    NarrowNetwork,
    /// New connections to the writer are accepted and never answered.
    StallHandshake,
    /// Connections that were idle for a moment are lost.
    ForgetIdle,
    /// The replies to some COMMITs are lost with their connections.
    LoseCommits,
    /// The reply to a COMMIT is lost in silence; the connection is reset later.
    SilenceCommit,
    /// Some messages end in the middle, are garbage, or never arrive.
    Garbage,
    /// A reader falls behind.
    PauseReplay,
    /// A reader is removed, and another one added.
    ReplaceReader,
    /// The writer is killed, a reader promoted, and the old writer comes back as a second one.
    SplitBrain,
}

/// Who is who when a fault begins, and what of it is random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) writer: usize,
    /// The reader that is meant, or promoted.
    pub(crate) reader: usize,
    /// Another one.
    pub(crate) other: usize,
    /// How long what lasts lasts.
    pub(crate) hold: Duration,
}

/// Something that is done to an instance, known by its index, or to the whole cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Kill(usize),
    Start(usize),
    Restart(usize),
    Promote(usize),
    KillAndPromote(usize),
    Switchover(usize),
    Pause(usize),
    Resume(usize),
    Rejoin(usize),
    CrashBackend(usize),
    PauseReplay(usize),
    ResumeReplay(usize),
    Remove(usize),
    Add,
    Disturb(usize, Disturbance),
    Heal(usize),
    Reset(usize),
    HalfClose(usize),
    Arm(usize, Mishap, Aim),
    Wait(Duration),
}

/// The steps of a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    /// From its beginning until it is lifted.
    pub(crate) fault: Vec<Step>,
    /// What makes the cluster whole again later, and must not be noticed.
    pub(crate) repair: Vec<Step>,
}

impl Script {
    fn of<const N: usize>(fault: [Step; N]) -> Self {
        Self { fault: fault.into(), repair: Vec::new() }
    }

    fn then<const N: usize>(self, repair: [Step; N]) -> Self {
        Self { repair: repair.into(), ..self }
    }
}

impl Fault {
    /// As it is typed.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) fn script(self, cast: Cast) -> Script {
        let Cast { writer, reader, other, hold } = cast;
        let wait = Step::Wait(hold);
        match self {
            Self::KillWriter => {
                Script::of([Step::KillAndPromote(reader)]).then([Step::Rejoin(writer)])
            }
            Self::KillTwice => {
                Script::of([Step::KillAndPromote(reader), Step::KillAndPromote(other)])
                    .then([Step::Rejoin(writer), Step::Rejoin(reader)])
            }
            Self::Switchover => Script::of([Step::Switchover(reader)]),
            Self::PauseWriterAndPromote => Script::of([Step::Pause(writer), Step::Promote(reader)])
                .then([Step::Resume(writer), wait, Step::Rejoin(writer)]),
            Self::PauseWriter => Script::of([Step::Pause(writer), wait, Step::Resume(writer)]),
            Self::PauseReader => Script::of([Step::Pause(reader), wait, Step::Resume(reader)]),
            Self::RestartWriter => Script::of([Step::Restart(writer)]),
            Self::RestartReader => Script::of([Step::Restart(reader)]),
            Self::CrashWriter => Script::of([Step::Kill(writer), Step::Start(writer)]),
            Self::CrashReader => Script::of([Step::Kill(reader), wait, Step::Start(reader)]),
            Self::CrashBackend => Script::of([Step::CrashBackend(writer)]),
            Self::PauseReplay => {
                Script::of([Step::PauseReplay(reader), wait, Step::ResumeReplay(reader)])
            }
            Self::ReplaceReader => Script::of([Step::Remove(reader), wait, Step::Add]),
            Self::SplitBrain => Script::of([Step::KillAndPromote(reader)]).then([
                Step::Start(writer),
                wait,
                Step::Rejoin(writer),
            ]),
            network => network.on_the_network(cast),
        }
    }

    /// What happens between clients and servers; an empty script for what does not.
    fn on_the_network(self, Cast { writer, reader, other, hold }: Cast) -> Script {
        let during = |index, disturbance| {
            Script::of([Step::Disturb(index, disturbance), Step::Wait(hold), Step::Heal(index)])
        };
        let dark = Disturbance::Blackhole(Direction::Both);
        let commits = |loss| Step::Arm(writer, Mishap::LoseAnswer(loss), Aim::Commit);
        let spoil = |index, mishap| Step::Arm(index, mishap, Aim::Application("aurora".to_owned()));
        match self {
            Self::BlackholeWriterAndPromote => {
                Script::of([Step::Disturb(writer, dark), Step::KillAndPromote(reader)])
                    .then([Step::Heal(writer), Step::Rejoin(writer)])
            }
            Self::BlackholeWriter => during(writer, dark),
            Self::BlackholeReader => during(reader, dark),
            Self::LoseReplies => during(writer, Disturbance::Blackhole(Direction::ToClient)),
            Self::ResetAll => Script::of([writer, reader, other].map(Step::Reset)),
            Self::HalfClose => Script::of([writer, reader, other].map(Step::HalfClose)),
            Self::SlowNetwork => slow([writer, reader, other], hold),
            Self::NarrowNetwork => {
                during(reader, Disturbance::Bandwidth { bytes_per_second: NARROW })
            }
            Self::StallHandshake => during(writer, Disturbance::StallHandshake),
            Self::ForgetIdle => {
                let after = Duration::from_millis(50);
                during(writer, Disturbance::ForgetIdle { after, then: Loss::Reset })
            }
            Self::LoseCommits => {
                let lose = || commits(Loss::Reset);
                Script::of([lose(), lose(), lose(), Step::Wait(hold)])
            }
            Self::SilenceCommit => {
                Script::of([commits(Loss::Silence), Step::Wait(hold), Step::Reset(writer)])
            }
            Self::Garbage => Script::of([
                spoil(writer, Mishap::Garbage),
                spoil(reader, Mishap::Garbage),
                spoil(writer, Mishap::TruncateMessage),
                spoil(writer, Mishap::ResetInMessage),
                spoil(writer, Mishap::LoseRequest(Loss::Reset)),
                Step::Wait(hold),
            ]),
            _ => Script::default(),
        }
    }
}

/// 20 kB each second: an answer takes some hundredths of a second.
const NARROW: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(19_999);

fn slow(all: [usize; 3], hold: Duration) -> Script {
    let (delay, jitter) = (Duration::from_millis(10), Duration::from_millis(30));
    let begin = all.map(|index| Step::Disturb(index, Disturbance::Latency { delay, jitter }));
    let fault = [begin.to_vec(), vec![Step::Wait(hold)], all.map(Step::Heal).to_vec()].concat();
    Script { fault, repair: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CAST: Cast = Cast { writer: 0, reader: 1, other: 2, hold: Duration::from_secs(2) };

    #[test]
    fn every_fault_does_something_and_leaves_nothing_broken() {
        for fault in Fault::value_variants() {
            let script = fault.script(CAST);
            assert!(!script.fault.is_empty(), "{fault:?} does nothing");
            let mut state = State::default();
            script.fault.iter().chain(&script.repair).for_each(|step| state.take(step));
            assert!(state.broken.is_empty() && state.disturbed.is_empty(), "{fault:?}: {state:?}");
            assert_eq!(state.removed, 0, "{fault:?}");
        }
    }

    /// What of a cluster is not as it should be.
    #[derive(Debug, Default)]
    struct State {
        writer: usize,
        former: HashSet<usize>,
        broken: HashSet<usize>,
        disturbed: HashSet<usize>,
        removed: usize,
    }

    impl State {
        fn take(&mut self, step: &Step) {
            match *step {
                Step::Kill(index) | Step::Pause(index) | Step::PauseReplay(index) => {
                    self.broken.insert(index);
                }
                Step::KillAndPromote(index) | Step::Promote(index) => {
                    self.former.insert(self.writer);
                    self.broken.insert(self.writer);
                    self.writer = index;
                }
                // As a second writer.
                Step::Start(index) | Step::Resume(index) if self.former.contains(&index) => {}
                Step::Start(index)
                | Step::Resume(index)
                | Step::Rejoin(index)
                | Step::ResumeReplay(index) => drop(self.broken.remove(&index)),
                Step::Disturb(index, _) => drop(self.disturbed.insert(index)),
                Step::Heal(index) => drop(self.disturbed.remove(&index)),
                Step::Remove(_) => self.removed += 1,
                Step::Add => self.removed -= 1,
                _ => {}
            }
        }
    }

    #[test]
    fn names_are_printed_as_they_are_typed() {
        for fault in Fault::value_variants() {
            assert_eq!(Fault::from_str(&fault.name(), false), Ok(*fault));
        }
    }
}
