//! What only this crate does with a physical connection: the seam between what all servers have in
//! common and what each kind of them has of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::transaction::{Evidence, RunOptions};
use aurora_core::{Cluster, ErrorKind, Family, Instance, Login, OwnSocket, Role};
use diesel::result::{ConnectionError, Error, QueryResult};

use super::Physical;
use crate::connection::AuroraConnection;

/// What a driver of Diesel's has to be able to do.
pub trait Open: Sized {
    /// The servers it speaks with.
    const FAMILY: Family;

    /// What a session keeps of its own.
    type Memory: Memory;

    /// Connects to `instance` within `timeout`, as far as the driver can be told; the connection's
    /// socket is marked with `mark` where that is possible.
    fn open(
        cluster: &Cluster,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
        mark: u32,
    ) -> Result<Self, NotOpened>;

    /// Whether the server refused the login, in these words, and may take another one.
    fn refuses_login(message: &str) -> bool;

    /// What a refused connection is about, by the words of the server or the driver. One with other
    /// words is tried until the deadline, and its words are in the error then.
    fn refusal(message: &str) -> Option<ErrorKind>;

    /// Asks a new connection, opened with `mark`, what is behind it.
    fn prove(&mut self, cluster: &Cluster, instance: &Instance, mark: u32) -> QueryResult<Proof>;

    /// Begins a transaction as the options say.
    fn begin(session: &mut AuroraConnection<Self>, options: &RunOptions) -> QueryResult<()>
    where
        Self: Physical;

    /// What the server can be asked later about the open transaction, begun after `since`.
    fn own_evidence(session: &mut AuroraConnection<Self>, since: Instant) -> QueryResult<Evidence>
    where
        Self: Physical;

    /// Finds out more about an error that this connection has given just now: Diesel's kinds do not
    /// tell everything apart that recovery has to.
    fn explain(&mut self, error: Error, form: Form) -> Explained {
        let _ = form;
        Explained { error, transaction_is_over: false }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NotOpened {
    /// The driver cannot give what the configuration asks for.
    NotPossible(String),
    /// The server, or the way to it, refused.
    Refused(ConnectionError),
}

/// What a session keeps from one statement to the next.
pub trait Memory: Default + Send {
    /// A statement that may have written has succeeded on the connection that is leased; `inserts`
    /// is whether it may have made a number for a row.
    fn wrote(&mut self, inserts: impl FnOnce() -> bool) {
        let _ = inserts;
    }

    /// The session gives its connection up.
    fn left(&mut self) {}

    /// The connection broke.
    fn lost(&mut self) {
        self.left();
    }

    /// Whether the session has left the connection on which it wrote last.
    fn has_left(&self) -> bool {
        false
    }
}

/// How a statement was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As one message, prepared before.
    Query,
    /// As a text, of one or several statements, or in several messages.
    Text,
}

/// An error, and what the server did about the transaction around it.
#[allow(missing_debug_implementations, reason = "it is taken apart at once")]
pub struct Explained {
    /// The error, of the kind that recovery goes by.
    pub error: Error,
    /// The server has rolled back all of the transaction, and goes on without one.
    pub transaction_is_over: bool,
}

/// What a new connection is found to be.
#[allow(missing_debug_implementations, reason = "a closure has none")]
pub struct Proof {
    /// The instance says that it takes writes.
    pub takes_writes: bool,
    /// Whether that makes it the writer: some are readers that nothing forbids to write.
    pub is_proof: bool,
    /// Which cluster the server belongs to, where that is asked.
    pub identity: Option<String>,
    /// Ends a call that waits on the connection, where that is possible.
    pub abort: Option<Abort>,
    /// The connection's socket, where it is known.
    pub socket: Option<Arc<OwnSocket>>,
}

impl Proof {
    pub(crate) fn fits(&self, role: Role) -> bool {
        match role {
            Role::Writer => self.takes_writes,
            _ => !self.takes_writes || !self.is_proof,
        }
    }
}

/// Called at most once, from another thread.
#[allow(unreachable_pub, reason = "part of a sealed trait")]
pub type Abort = Box<dyn Fn() + Send + Sync>;
