//! Workers that write, read and run transactions all the time, and a log of all they did.

mod log;
mod score;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

pub use self::log::{Kind, Log, Operation};
pub use self::score::{Moments, Row, Score, score};
use crate::door::{Access, Answer, Door, Failure, Kind as Error};
use crate::scene::{Scene, eventually, inside};
use crate::servers::Servers;

/// Which workers there are, unless said otherwise.
const WORKERS: [Kind; 6] =
    [Kind::Write, Kind::Transaction, Kind::Read, Kind::Write, Kind::Transaction, Kind::Read];
/// What a worker pauses between two operations, so that servers and clients share few processors.
const PACE: Duration = Duration::from_millis(5);
/// How many operations of every worker prove that the load goes on.
const SOME: usize = 5;
/// How long a worker may take for its last operation; longer than any deadline.
const LAST: Duration = Duration::from_secs(40);

/// Workers that go on until told to stop.
#[derive(Debug)]
pub struct Load {
    /// What they did.
    pub log: Arc<Log>,
    workers: JoinSet<()>,
}

impl Drop for Load {
    /// Also when a test fails in the middle of it.
    fn drop(&mut self) {
        self.log.stop();
    }
}

impl Load {
    /// Two workers of each kind, which take their sessions out of the scene's own pool.
    pub async fn start<K: Servers>(scene: &Scene<K>) -> Self {
        Self::through(scene, &[Arc::clone(&scene.pool)]).await
    }

    /// Two workers of each kind for each of these pools.
    pub async fn through<K: Servers>(scene: &Scene<K>, doors: &[Arc<dyn Door>]) -> Self {
        scene.prepare(K::TEXTS.deeds);
        let mut load = Self { log: Arc::default(), workers: JoinSet::new() };
        for door in doors {
            for kind in WORKERS {
                let worker = load.log.enlist(kind);
                load.workers.spawn(work(Arc::clone(door), Arc::clone(&load.log), worker, kind));
            }
        }
        load.goes_on().await;
        load
    }

    /// Waits until every worker has succeeded some more times.
    pub async fn goes_on(&self) {
        self.succeeds(|_| true).await;
    }

    /// Waits until every worker that reads has succeeded some more times.
    pub async fn reads_go_on(&self) {
        self.succeeds(|kind| kind == Kind::Read).await;
    }

    async fn succeeds(&self, which: impl Fn(Kind) -> bool) {
        let before = self.log.successes();
        eventually("the load goes on", async || {
            let now = self.log.successes();
            let mut both = now.iter().zip(&before);
            both.all(|((kind, now), (_, before))| !which(*kind) || *now >= before + SOME)
        })
        .await;
    }

    /// Tells the workers to end, and waits for them; how many did not.
    pub async fn stop(&mut self) -> usize {
        self.log.stop();
        let end = tokio::time::Instant::now() + LAST;
        while let Ok(Some(ended)) = tokio::time::timeout_at(end, self.workers.join_next()).await {
            ended.unwrap();
        }
        self.workers.len()
    }
}

async fn work(door: Arc<dyn Door>, log: Arc<Log>, worker: usize, kind: Kind) {
    while !log.is_stopped() {
        let (began, id) = (Instant::now(), log.take_ids());
        let failure = operate(&*door, kind, id).await.err();
        log.note(Operation { worker, kind, id, began, ended: Instant::now(), failure });
        tokio::time::sleep(PACE).await;
    }
}

/// One operation, from the check-out to the check-in.
async fn operate(door: &dyn Door, kind: Kind, id: i64) -> Answer<()> {
    let mut session = door.session().await?;
    match kind {
        Kind::Write => session.execute(&insert(id)).await,
        Kind::Read => match session.names().await? {
            names if names == ["a", "b", "c"] => Ok(()),
            other => Err(unexpected(format!("these are other items: {other:?}"))),
        },
        Kind::Transaction => {
            let whole = inside(|transaction| {
                Box::pin(async move {
                    transaction.execute(&insert(id)).await?;
                    let own = format!("SELECT count(*) FROM deeds WHERE id = {id}");
                    match transaction.number(&own).await? {
                        1 => transaction.execute(&insert(id + 1)).await,
                        other => Err(unexpected(format!("sees its own row {other} times"))),
                    }
                })
            });
            session.transaction(Access::Write, whole).await
        }
    }
}

fn insert(id: i64) -> String {
    format!("INSERT INTO deeds (id) VALUES ({id})")
}

fn unexpected(text: String) -> Failure {
    Failure { kind: Error::Other, text, ..Failure::unwanted() }
}
