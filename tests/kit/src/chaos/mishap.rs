//! What goes wrong once, with one message or one answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{guarded, wait_until};

/// How a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Both sides are reset.
    Reset,
    /// Both sides stay open and nothing passes any more, until
    /// [`ChaosProxy::reset_all`](super::ChaosProxy::reset_all): neither healing nor a client's
    /// closing is noticed.
    Silence,
}

/// Something that happens to one connection, once; see [`ChaosProxy::arm`](super::ChaosProxy::arm).
///
/// "Message" and "answer" are those of PostgreSQL's protocol; before MariaDB, a message is the first
/// packet of an answer. In an encrypted connection only TLS
/// records can be told apart: a message is a record, an answer is one record, and only
/// [`Aim::Any`] is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mishap {
    /// A part of the server's message arrives, then the connection is reset.
    ResetInMessage,
    /// A part of the server's message arrives, then the connection ends in an orderly way.
    TruncateMessage,
    /// The server's message is replaced by bytes that are none; what follows arrives.
    Garbage,
    /// The server executes the request and its whole answer is lost, then the connection.
    LoseAnswer(Loss),
    /// The request is lost before it reaches the server, then the connection.
    LoseRequest(Loss),
}

/// Which message or answer a [`Mishap`] happens to: the next one that meets this.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aim {
    /// Any.
    Any,
    /// One of a connection that has this `application_name`.
    Application(String),
    /// One of a request that executes a statement with this text in it, prepared or not.
    Statement(String),
    /// One of a request that executes a `COMMIT` or `END`.
    Commit,
}

/// A mishap that will happen, or has. It does so also when this is dropped.
#[derive(Debug, Clone)]
pub struct Armed {
    shot: Arc<Shot>,
}

impl Armed {
    /// Has it happened? True from the moment before the client can see it, and not before the
    /// server has answered in the case of [`Mishap::LoseAnswer`].
    #[must_use]
    pub fn has_happened(&self) -> bool {
        self.shot.done.load(Ordering::Acquire)
    }

    /// Waits until it has happened; `false` when it still has not at the deadline. Blocks.
    #[must_use]
    pub fn wait(&self, deadline: Duration) -> bool {
        wait_until(deadline, || self.has_happened())
    }

    /// Makes it not happen, if it has not begun.
    pub fn disarm(&self) {
        self.shot.taken.store(true, Ordering::Release);
    }
}

#[derive(Debug)]
pub(crate) struct Shot {
    pub(crate) mishap: Mishap,
    aim: Aim,
    taken: AtomicBool,
    done: AtomicBool,
}

impl Shot {
    pub(crate) fn is_about_request(&self) -> bool {
        matches!(self.mishap, Mishap::LoseRequest(_))
    }

    pub(crate) fn done(&self) {
        self.done.store(true, Ordering::Release);
    }
}

/// The mishaps of a proxy that have not begun.
#[derive(Debug, Default)]
pub(crate) struct Arsenal {
    shots: Mutex<Vec<Arc<Shot>>>,
    /// Their number: nothing is locked while there is none.
    number: AtomicUsize,
}

impl Arsenal {
    pub(crate) fn arm(&self, mishap: Mishap, aim: Aim) -> Armed {
        let (taken, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let shot = Arc::new(Shot { mishap, aim, taken, done });
        let mut shots = guarded(&self.shots);
        shots.push(Arc::clone(&shot));
        self.number.store(shots.len(), Ordering::Release);
        Armed { shot }
    }

    /// Takes the oldest one that is about requests (or answers) and whose aim is met.
    pub(crate) fn take(&self, request: bool, meets: impl Fn(&Aim) -> bool) -> Option<Arc<Shot>> {
        if self.number.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut shots = guarded(&self.shots);
        shots.retain(|shot| !shot.taken.load(Ordering::Acquire));
        let due = |shot: &Arc<Shot>| shot.is_about_request() == request && meets(&shot.aim);
        let found = shots.iter().position(due).map(|index| shots.remove(index));
        self.number.store(shots.len(), Ordering::Release);
        // A disarm that comes now is too late or just in time.
        found.filter(|shot| !shot.taken.swap(true, Ordering::AcqRel))
    }
}
