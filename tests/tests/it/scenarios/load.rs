//! Sessions that write and read all the time, with a ledger.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aurora_tests::ledger::{LEDGER, Ledger};
use aurora_tests::servers::Servers;
use tokio::task::{JoinSet, block_in_place};

use super::door::{Door, Failure, Kind};
use super::scene::{Scene, eventually};

/// How many tasks write, and as many read.
const TASKS: usize = 4;

/// Tasks that write and read until told to stop.
pub(crate) struct Load {
    pub(crate) ledger: Arc<Ledger>,
    reads: Arc<Reads>,
    tasks: JoinSet<()>,
}

/// Reads that were tried.
#[derive(Default)]
struct Reads {
    done: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Drop for Load {
    /// Also when the scenario fails in the middle of it.
    fn drop(&mut self) {
        self.ledger.stop();
    }
}

impl Load {
    /// Writes and reads through the scene's own pool.
    pub(crate) async fn start<K: Servers>(scene: &Scene<K>) -> Self {
        Self::through(scene, &[Arc::clone(&scene.pool)]).await
    }

    /// Writes and reads through several pools at once.
    pub(crate) async fn through<K: Servers>(scene: &Scene<K>, doors: &[Arc<dyn Door>]) -> Self {
        scene.prepare(LEDGER);
        let mut load =
            Self { ledger: Arc::default(), reads: Arc::default(), tasks: JoinSet::new() };
        for task in 0..TASKS.max(doors.len()) {
            let door = &doors[task % doors.len()];
            load.tasks.spawn(write(Arc::clone(door), Arc::clone(&load.ledger), task));
            load.tasks.spawn(read(
                Arc::clone(door),
                Arc::clone(&load.ledger),
                Arc::clone(&load.reads),
            ));
        }
        load.goes_on().await;
        load
    }

    /// Waits until some more writes are acknowledged, and some more reads are done.
    pub(crate) async fn goes_on(&self) {
        let (writes, reads) = (self.ledger.acknowledged() + 30, self.reads() + 30);
        eventually("the load goes on", async || {
            self.ledger.acknowledged() > writes && self.reads() > reads
        })
        .await;
    }

    /// Waits until some more reads are done.
    pub(crate) async fn reads_go_on(&self) {
        let reads = self.reads() + 40;
        eventually("reads go on", async || self.reads() > reads).await;
    }

    fn reads(&self) -> usize {
        self.reads.done.load(Ordering::Relaxed)
    }

    /// Ends the tasks: no read may have failed, no task may have seen more than so many errors, no
    /// write may have been refused, and the ledger has to be right.
    pub(crate) async fn verify<K: Servers>(mut self, scene: &Scene<K>, most: usize) {
        self.ledger.stop();
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        let failed = self.reads.failed.lock().unwrap().clone();
        assert!(failed.is_empty(), "{} of {} reads: {failed:#?}", failed.len(), self.reads());
        let errors = self.ledger.errors();
        assert!(errors.iter().all(|(.., text)| !text.contains("read-only")), "{errors:#?}");
        assert!(self.ledger.most_errors_of_a_thread() <= most, "{errors:#?}");
        block_in_place(|| self.ledger.verify(&scene.kit));
    }
}

async fn write(door: Arc<dyn Door>, ledger: Arc<Ledger>, task: usize) {
    while !ledger.is_stopped() {
        let id = ledger.take_id();
        let insert = format!("INSERT INTO ledger VALUES ({id})");
        let result = match door.session().await {
            Ok(mut session) => session.execute(&insert).await,
            Err(failure) => Err(failure),
        };
        note(&ledger, id, task, result);
    }
}

/// Notes what became of a write.
pub(crate) fn note(ledger: &Ledger, id: i64, task: usize, result: Result<(), Failure>) {
    let failed = result.err().map(|failure| {
        assert!(matches!(failure.kind, Kind::Lost | Kind::NotSent), "{failure}");
        (failure.outcome, failure.text)
    });
    ledger.note_outcome(id, task, failed);
}

async fn read(door: Arc<dyn Door>, ledger: Arc<Ledger>, reads: Arc<Reads>) {
    while !ledger.is_stopped() {
        let names = match door.session().await {
            Ok(mut session) => session.names().await,
            Err(failure) => Err(failure),
        };
        match names {
            Ok(names) => assert_eq!(names, ["a", "b", "c"]),
            Err(failure) => reads.failed.lock().unwrap().push(failure.to_string()),
        }
        reads.done.fetch_add(1, Ordering::Relaxed);
    }
}
