//! Waiting for conditions, always with a deadline.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::KitError;

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks at a condition every 2 ms until it holds; `false` when it still did not at the deadline.
///
/// ```
/// use std::time::Duration;
/// let mut looks = 0;
/// assert!(test_kit::wait_until(Duration::from_secs(1), || { looks += 1; looks == 3 }));
/// assert!(!test_kit::wait_until(Duration::from_millis(5), || false));
/// ```
#[must_use]
pub fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// [`wait_until`] for conditions that can fail; the deadline is an error that names `what`.
pub(crate) fn wait_for(
    what: impl FnOnce() -> String,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool, KitError>,
) -> Result<(), KitError> {
    let mut failure = None;
    let done = wait_until(limit, || match condition() {
        Ok(done) => done,
        Err(error) => {
            failure = Some(error);
            true
        }
    });
    match (failure, done) {
        (Some(error), _) => Err(error),
        (None, true) => Ok(()),
        (None, false) => Err(KitError::Deadline { what: what(), limit }),
    }
}

/// Runs a blocking call on a thread of its own and stops waiting for it at the deadline.
///
/// The blocking PostgreSQL client has no deadline for a server that accepts the connection and
/// then says nothing (a stopped process), so no call of it may run on the caller's thread.
/// An abandoned call ends when its server is killed, at the latest when the cluster is dropped.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || drop(sender.send(call())));
    receiver.recv_timeout(limit).ok()
}
