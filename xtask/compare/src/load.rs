//! The workers of one stack, and what each of them went through.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::stacks::{Failure, POOL_SIZE, Stack};

/// The pause after a write.
const PAUSE: Duration = Duration::from_millis(10);
/// Identifiers of different workers do not meet.
const ID_RANGE: i64 = 1_000_000_000;

/// A write that ended.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) id: i64,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// The instance that acknowledged it, or why it failed.
    pub(crate) result: Result<IpAddr, Failure>,
}

/// What one worker went through so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) writes: Vec<Write>,
    /// When the write began that has not ended.
    pub(crate) in_flight: Option<Instant>,
}

/// One stack and its workers.
///
/// The workers are threads that nobody waits for: a stock pool may block one for ever.
pub(crate) struct Crew {
    pub(crate) stack: Arc<dyn Stack>,
    logs: Vec<Arc<Mutex<Log>>>,
    workers: Vec<JoinHandle<()>>,
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Crew {
    /// Starts one worker for every connection of the pool.
    pub(crate) fn start(stack: Arc<dyn Stack>) -> io::Result<Self> {
        let mut crew = Self {
            stack,
            logs: Vec::new(),
            workers: Vec::new(),
            acknowledged: Arc::default(),
            failed: Arc::default(),
            stop: Arc::default(),
        };
        for number in 1..=i64::from(POOL_SIZE) {
            let log = Arc::<Mutex<Log>>::default();
            crew.logs.push(Arc::clone(&log));
            let stack = Arc::clone(&crew.stack);
            let (acknowledged, failed) = (Arc::clone(&crew.acknowledged), Arc::clone(&crew.failed));
            let stop = Arc::clone(&crew.stop);
            let work = move || {
                for id in number * ID_RANGE.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let good = write(&*stack, &log, id);
                    if good { &acknowledged } else { &failed }.fetch_add(1, Relaxed);
                    thread::sleep(PAUSE);
                }
            };
            let name = format!("{}-{number}", crew.stack.name());
            crew.workers.push(thread::Builder::new().name(name).spawn(work)?);
        }
        Ok(crew)
    }

    /// Acknowledged and failed writes so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.acknowledged.load(Relaxed), self.failed.load(Relaxed))
    }

    /// What all workers went through so far.
    pub(crate) fn logs(&self) -> Vec<Log> {
        self.logs.iter().map(|log| lock(log).clone()).collect()
    }

    /// Tells the workers to end with the write they are in.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether all have ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }
}

impl Drop for Crew {
    /// A run that fails leaves nobody behind who writes.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes one write; true if it was acknowledged.
fn write(stack: &dyn Stack, log: &Mutex<Log>, id: i64) -> bool {
    let began = Instant::now();
    lock(log).in_flight = Some(began);
    let result = stack.insert(id);
    let ended = Instant::now();
    let good = result.is_ok();
    let mut log = lock(log);
    log.in_flight = None;
    log.writes.push(Write { id, began, ended, result });
    good
}

/// A worker that panicked leaves its last write in flight, which is what is to be reported.
fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
