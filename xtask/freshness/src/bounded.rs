//! Reads with a bound: how old is what they see?

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aurora_core::Freshness;
use tokio::task::JoinSet;

use crate::Failed;
use crate::stage::Stage;

/// The bound.
pub(crate) const BOUND: Duration = Duration::from_millis(200);
/// How often the servers are sampled while somebody wants fresh data.
pub(crate) const INTERVAL: Duration = Duration::from_millis(10);
/// The pause between two writes.
const PAUSE: Duration = Duration::from_millis(3);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) reads: usize,
    /// The age of the oldest data that a read showed.
    pub(crate) oldest: Duration,
    pub(crate) by_readers: f64,
}

impl Outcome {
    pub(crate) fn is_kept(&self) -> bool {
        self.oldest <= BOUND + INTERVAL
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reads, oldest) = (self.reads, self.oldest.as_secs_f64() * 1e3);
        write!(f, "{reads} reads, oldest {oldest:.1} ms, {:.1} % by readers", self.by_readers)
    }
}

/// When each value was acknowledged; a value is its place.
type Acknowledged = Arc<Mutex<Vec<Instant>>>;

/// When that value was acknowledged, if it was.
fn at(acknowledged: &Acknowledged, value: usize) -> Option<Instant> {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner).get(value).copied()
}

/// One session writes all the time, one of each adapter reads what it wrote.
pub(crate) async fn run(stage: &Stage, length: Duration) -> Result<Outcome, Failed> {
    let row = stage.doors.len() * crate::stage::WORKERS;
    let end = Instant::now() + length;
    let mut writer = stage.doors[0].session().await.map_err(|failure| failure.to_string())?;
    let reset = format!("UPDATE marks SET n = 0 WHERE id = {row}");
    writer.execute(&reset).await.map_err(|failure| failure.to_string())?;
    // Nobody shows what was there before any more.
    tokio::time::sleep(BOUND * 3).await;
    let acknowledged = Acknowledged::new(Mutex::new(vec![Instant::now()]));
    let before = stage.queries();
    let mut readers = JoinSet::new();
    for door in &stage.doors {
        let (door, acknowledged) = (Arc::clone(door), Arc::clone(&acknowledged));
        readers.spawn(async move {
            let mut session = door.session().await.map_err(|failure| failure.to_string())?;
            session.set_freshness(Freshness::Bounded(BOUND));
            let read = format!("SELECT n FROM marks WHERE id = {row}");
            let (mut reads, mut oldest) = (0, Duration::ZERO);
            while Instant::now() < end {
                let began = Instant::now();
                let found = session.number(&read).await.map_err(|failure| failure.to_string())?;
                let next = usize::try_from(found + 1).map_err(|error| error.to_string())?;
                let missed = at(&acknowledged, next);
                let age = missed.map_or(Duration::ZERO, |at| began.saturating_duration_since(at));
                oldest = oldest.max(age);
                reads += 1;
                tokio::task::yield_now().await;
            }
            Ok::<_, String>((reads, oldest))
        });
    }
    let mut writes = 0;
    while Instant::now() < end {
        writes += 1;
        let write = format!("UPDATE marks SET n = {writes} WHERE id = {row}");
        writer.execute(&write).await.map_err(|failure| failure.to_string())?;
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        tokio::time::sleep(PAUSE).await;
    }
    let (mut reads, mut oldest) = (0, Duration::ZERO);
    while let Some(ended) = readers.join_next().await {
        let (own, age) = ended??;
        reads += own;
        oldest = oldest.max(age);
    }
    let by_readers = (stage.queries().1 - before.1) as f64 / reads.max(1) as f64 * 100.0;
    Ok(Outcome { reads, oldest, by_readers })
}
