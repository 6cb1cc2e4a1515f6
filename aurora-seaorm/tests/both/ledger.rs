//! Proof that no write is lost, none is applied twice, and no error lies about the outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use aurora_seaorm::{Outcome, outcome};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, Statement};
use tokio::task::JoinHandle;

use crate::engine::{ALL_IDS, INSERT_ID};
use crate::entities::item;
use crate::stand::{Stand, eventually};

/// Without a unique index: a write that is applied twice shows.
const TABLE: &str = "CREATE TABLE ledger (id BIGINT NOT NULL)";

/// A write that was tried, and how it failed if it did.
type Entry = (i64, Option<(Outcome, String)>);

/// Notes what became of every write.
#[derive(Default)]
pub(crate) struct Ledger {
    next: AtomicI64,
    stop: AtomicBool,
    entries: Mutex<Vec<Entry>>,
    failed_reads: Mutex<Vec<String>>,
}

/// Tasks that write and read all the time.
pub(crate) struct Load {
    pub(crate) ledger: Arc<Ledger>,
    tasks: Vec<JoinHandle<()>>,
}

impl Ledger {
    pub(crate) fn acknowledged(&self) -> usize {
        self.lock().iter().filter(|(_, failed)| failed.is_none()).count()
    }

    pub(crate) fn failed_reads(&self) -> Vec<String> {
        self.failed_reads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a row that no other write has.
    pub(crate) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let insert =
            Statement::from_sql_and_values(db.get_database_backend(), INSERT_ID, [id.into()]);
        let result = db.execute_raw(insert).await.map(drop);
        let failed = result.as_ref().err().map(|error| (outcome(error), error.to_string()));
        self.lock().push((id, failed));
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Four tasks that write, four that read, through `db`.
    pub(crate) async fn start<C>(stand: &Stand, db: &C) -> Self
    where
        C: ConnectionTrait + Clone + Send + Sync + 'static,
    {
        stand.seed(TABLE).await;
        let ledger = Arc::new(Ledger::default());
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let (writes, db) = (Arc::clone(&ledger), db.clone());
            tasks.push(tokio::spawn(async move {
                while !writes.stop.load(Ordering::Acquire) {
                    let _ = writes.write(&db).await;
                }
            }));
            let (reads, db) = (Arc::clone(&ledger), stand.db.clone());
            tasks.push(tokio::spawn(async move {
                while !reads.stop.load(Ordering::Acquire) {
                    if let Err(error) = item::Entity::find().count(&db).await {
                        let mut failed =
                            reads.failed_reads.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(error.to_string());
                    }
                }
            }));
        }
        Self { ledger, tasks }
    }

    /// Waits until writes are acknowledged that were not before.
    pub(crate) async fn goes_on(&self) {
        let before = self.ledger.acknowledged();
        eventually("writes go on", || self.ledger.acknowledged() > before + 50).await;
    }

    /// Ends the tasks and compares with what the writer holds: acknowledged writes are there once,
    /// those reported as not applied are absent, unknown ones are there at most once.
    pub(crate) async fn verify(self, stand: &Stand) {
        self.ledger.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.unwrap();
        }
        let writer = stand.kit.writer();
        let stored = stand.ask(writer, ALL_IDS).await;
        let mut times: HashMap<i64, usize> = HashMap::new();
        for id in stored.split(',').filter(|id| !id.is_empty()) {
            *times.entry(id.parse().unwrap()).or_default() += 1;
        }
        for (id, failed) in self.ledger.lock().iter() {
            let times = times.remove(id).unwrap_or(0);
            let right = match failed {
                None | Some((Outcome::Applied, _)) => times == 1,
                Some((Outcome::NotApplied, _)) => times == 0,
                Some((Outcome::Unknown, _)) => times <= 1,
            };
            assert!(right, "{id} is stored {times} times: {failed:?}");
        }
        assert!(times.is_empty(), "rows nobody wrote: {times:?}");
        assert_eq!(self.ledger.failed_reads(), Vec::<String>::new());
    }
}
