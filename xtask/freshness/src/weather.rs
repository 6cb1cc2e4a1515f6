//! Readers that lag: their replay is delayed, and paused at random.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use test_kit::{KitError, PgCluster};
use tokio::task::block_in_place;

use crate::Failed;
use crate::stage::Stage;

/// The delays of replay, in milliseconds.
const DELAYS: [u64; 4] = [0, 5, 20, 80];
/// The longest pause of replay, and the longest rest after it, in milliseconds.
const PAUSE: u64 = 150;

/// Changes all the time until it is told to end.
pub(crate) struct Weather {
    end: mpsc::Sender<()>,
    thread: JoinHandle<Result<(), KitError>>,
}

impl Weather {
    pub(crate) fn begin(stage: &Stage) -> Self {
        let (end, ended) = mpsc::channel();
        let (kit, seed) = (Arc::clone(&stage.kit), stage.seed);
        let thread = thread::spawn(move || change(&kit, seed, &ended));
        Self { end, thread }
    }

    /// Ends it; the readers replay at once again.
    pub(crate) fn end(self) -> Result<(), Failed> {
        drop(self.end);
        let ended = block_in_place(|| self.thread.join());
        Ok(ended.map_err(|_| "the thread that makes readers lag panicked")??)
    }
}

fn change(kit: &PgCluster, seed: u64, ended: &mpsc::Receiver<()>) -> Result<(), KitError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let readers = kit.readers();
    let goes_on = |pause: u64| {
        ended.recv_timeout(Duration::from_millis(pause)) == Err(RecvTimeoutError::Timeout)
    };
    let mut going = true;
    while going {
        let reader = readers[random.usize(..readers.len())];
        if random.u8(..4) == 0 {
            let delay = DELAYS[random.usize(..DELAYS.len())];
            kit.set_replay_delay(reader, Duration::from_millis(delay))?;
        }
        kit.pause_replay(reader)?;
        going = goes_on(random.u64(..PAUSE));
        kit.resume_replay(reader)?;
        going = going && goes_on(random.u64(..PAUSE));
    }
    readers.iter().try_for_each(|reader| kit.set_replay_delay(*reader, Duration::ZERO))
}
