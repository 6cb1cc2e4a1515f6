//! Pairs of a write and a read that has to see it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use aurora_core::Freshness;
use aurora_tests::door::{Access, Door, Failure, Guest, Work as DoorWork};
use tokio::task::JoinSet;

use crate::Failed;
use crate::other::Other;
use crate::stage::{ADAPTERS, Stage, WORKERS};

/// How many pairs one session lives through: a unit of work.
const LIFE: usize = 10;
/// The longest pause between a write and the second read after it, in milliseconds.
const PAUSE: u64 = 60;

/// What came of a number of pairs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) pairs: usize,
    pub(crate) reads: usize,
    pub(crate) stale: usize,
    /// Of a hundred reads so many were served by readers; `None` where another process read.
    pub(crate) by_readers: Option<f64>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pairs, reads, stale, by_readers } = self;
        write!(f, "{pairs} writes, {reads} reads, {stale} stale")?;
        by_readers.map_or(Ok(()), |share| write!(f, ", {share:.1} % by readers"))
    }
}

/// How the reads of a pair are done.
#[derive(Clone)]
enum How {
    Here(Freshness),
    ByToken(Arc<Other>),
}

/// What all workers share.
struct Work {
    left: AtomicI64,
    reads: AtomicUsize,
    stale: AtomicUsize,
}

/// Pairs within a session of this process.
pub(crate) async fn session(stage: &Stage, pairs: usize) -> Result<Outcome, Failed> {
    run(stage, pairs, How::Here(Freshness::Session)).await
}

/// The same pairs with nothing promised.
pub(crate) async fn eventual(stage: &Stage, pairs: usize) -> Result<Outcome, Failed> {
    run(stage, pairs, How::Here(Freshness::Eventual)).await
}

/// Writes here that another process reads by token.
pub(crate) async fn token(stage: &Stage, pairs: usize) -> Result<Outcome, Failed> {
    let other = Other::start(&stage.kit.url())?;
    let mut outcome = run(stage, pairs, How::ByToken(Arc::clone(&other))).await?;
    outcome.by_readers = Some(other.share().await?);
    Ok(outcome)
}

async fn run(stage: &Stage, pairs: usize, how: How) -> Result<Outcome, Failed> {
    let left = AtomicI64::new(i64::try_from(pairs)?);
    let work = Arc::new(Work { left, reads: AtomicUsize::new(0), stale: AtomicUsize::new(0) });
    let before = stage.queries();
    let mut workers = JoinSet::new();
    for (adapter, door) in stage.doors.iter().enumerate() {
        for number in 0..WORKERS {
            let worker = Worker {
                adapter,
                row: adapter * WORKERS + number,
                door: Arc::clone(door),
                how: how.clone(),
                work: Arc::clone(&work),
                random: fastrand::Rng::with_seed(stage.seed + number as u64),
            };
            workers.spawn(worker.run());
        }
    }
    while let Some(ended) = workers.join_next().await {
        let name = |adapter: usize| ADAPTERS[adapter].0;
        ended?.map_err(|(adapter, text)| format!("{}: {text}", name(adapter)))?;
    }
    let after = stage.queries();
    let reads = work.reads.load(Ordering::Relaxed);
    let by_readers = (after.1 - before.1) as f64 / reads.max(1) as f64 * 100.0;
    let by_readers = matches!(how, How::Here(_)).then_some(by_readers);
    Ok(Outcome { pairs, reads, stale: work.stale.load(Ordering::Relaxed), by_readers })
}

struct Worker {
    adapter: usize,
    row: usize,
    door: Arc<dyn Door>,
    how: How,
    work: Arc<Work>,
    random: fastrand::Rng,
}

impl Worker {
    async fn run(mut self) -> Result<(), (usize, String)> {
        let adapter = self.adapter;
        self.pairs().await.map_err(|text| (adapter, text))
    }

    async fn pairs(&mut self) -> Result<(), String> {
        let row = self.row;
        let read = format!("SELECT n FROM marks WHERE id = {row}");
        let words = |failure: Failure| failure.to_string();
        let last = format!("/*@fresh strong*/ {read}");
        let mut written = self.door.session().await.map_err(words)?.number(&last).await;
        loop {
            let mut session = self.door.session().await.map_err(words)?;
            for _ in 0..LIFE {
                if self.work.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                    return Ok(());
                }
                let next = written.map_err(words)? + 1;
                self.write(&mut session, next).await.map_err(words)?;
                written = Ok(next);
                self.check(&mut session, &read, next).await?;
            }
        }
    }

    /// Alone, or in a transaction.
    async fn write(&mut self, session: &mut Guest, n: i64) -> Result<(), Failure> {
        let write = format!("UPDATE marks SET n = {n} WHERE id = {}", self.row);
        if self.random.u8(..4) > 0 {
            return session.execute(&write).await;
        }
        let work: DoorWork<'_> =
            Box::new(move |inner| Box::pin(async move { inner.execute(&write).await }));
        session.transaction(Access::Write, work).await
    }

    /// Reads at once, and often once more when the readers may have come after.
    async fn check(&mut self, session: &mut Guest, read: &str, n: i64) -> Result<(), String> {
        let pauses = [Some(0), self.random.bool().then(|| self.random.u64(..PAUSE))];
        let mut token = None;
        for pause in pauses.into_iter().flatten() {
            if pause > 0 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            let found = match &self.how {
                How::Here(freshness) => {
                    session.set_freshness(*freshness);
                    session.number(read).await.map_err(|failure| failure.to_string())?
                }
                How::ByToken(other) => {
                    if token.is_none() {
                        token = Some(session.token().await.map_err(|f| f.to_string())?);
                    }
                    let token = token.as_deref().unwrap_or_default();
                    other.ask(self.adapter, self.row, token).await?
                }
            };
            self.work.reads.fetch_add(1, Ordering::Relaxed);
            if found < n {
                self.work.stale.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
