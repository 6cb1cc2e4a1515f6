//! What a scenario knows of an ORM: sessions, statements, transactions and errors.

use std::fmt;
use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::Arc;

use async_trait::async_trait;
use aurora_core::sql::Target;
use aurora_core::{Cluster, Freshness, Outcome, Retry};
use futures_util::future::BoxFuture;

/// What an operation came to.
pub type Answer<T> = Result<T, Failure>;

/// Makes the pool of an adapter: so many sessions, on this cluster.
pub type Open = fn(Cluster, usize) -> BoxFuture<'static, Arc<dyn Door>>;

/// What happens inside a transaction or a scope.
pub type Work<'w> =
    Box<dyn for<'a> FnOnce(&'a mut (dyn Session + 'w)) -> BoxFuture<'a, Answer<()>> + Send + 'w>;

/// The pool of an adapter.
#[async_trait]
pub trait Door: Send + Sync {
    /// A session out of the pool, or why there is none.
    async fn session(&self) -> Answer<Guest>;

    /// Applies what is pending with the ORM's own tool; how many migrations that was.
    async fn migrate(&self) -> Answer<usize>;

    /// Takes the last migration back.
    async fn revert(&self) -> Answer<()>;

    /// How many statements on the writer [`Session::add`] takes.
    fn adds(&self) -> u64 {
        1
    }
}

/// A session, or a transaction of one.
#[async_trait]
pub trait Session: Send {
    /// Runs SQL that returns nothing of interest.
    async fn execute(&mut self, sql: &str) -> Answer<()>;

    /// The one number that a query returns, a `bigint`.
    async fn number(&mut self, sql: &str) -> Answer<i64>;

    /// The one text that a query returns.
    async fn text(&mut self, sql: &str) -> Answer<String>;

    /// Inserts an item through the ORM's query interface, and returns its number.
    async fn add(&mut self, name: &str) -> Answer<i32>;

    /// The names of all items in the order of their numbers, through the ORM's query interface.
    async fn names(&mut self) -> Answer<Vec<String>>;

    /// Renames an item through the ORM's query interface; how many there were.
    async fn rename(&mut self, id: i32, name: &str) -> Answer<usize>;

    /// Removes an item through the ORM's query interface; how many there were.
    async fn remove(&mut self, id: i32) -> Answer<usize>;

    /// Takes all items one by one, as they arrive, until `each` has enough; how many came, and the
    /// error that ended them.
    async fn stream(&mut self, each: Each<'_>) -> (usize, Option<Failure>);

    /// Runs `work` in a transaction, or in a savepoint of the one that is open: committed when it
    /// returns `Ok`, else rolled back.
    async fn transaction(&mut self, access: Access, work: Work<'_>) -> Answer<()>;

    /// Runs `work` with its statements sent to a writer, or its reads to a reader.
    async fn forced(&mut self, to: Target, work: Work<'_>) -> Answer<()>;

    /// The text of a token of what the session has written.
    async fn token(&mut self) -> Answer<String>;

    /// Has the session's reads see what the token stands for.
    async fn require(&mut self, token: &str) -> Answer<()>;

    /// How recent the data must be that the session's reads see.
    fn set_freshness(&mut self, freshness: Freshness);
}

/// Told of every item of a stream, with its number in order from 1.
pub type Each<'e> = &'e mut (dyn FnMut(usize) -> ControlFlow<()> + Send);

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and write.
    Write,
    /// Read, at the default level of isolation.
    ReadOnly,
    /// Read, serializable.
    SerializableReadOnly,
}

/// A session out of a pool, whatever the pool calls it; dropping it is the check-in.
pub struct Guest(Box<dyn CheckedOut>);

/// What leads to a session.
pub trait CheckedOut: Send {
    /// To look at.
    fn to_ref(&self) -> &(dyn Session + 'static);
    /// To use.
    fn to_mut(&mut self) -> &mut (dyn Session + 'static);
}

impl<P> CheckedOut for P
where
    P: DerefMut<Target: Session + Sized + 'static> + Send,
{
    fn to_ref(&self) -> &(dyn Session + 'static) {
        &**self
    }

    fn to_mut(&mut self) -> &mut (dyn Session + 'static) {
        &mut **self
    }
}

impl Guest {
    /// Takes what a pool gave.
    pub fn new(pooled: impl CheckedOut + 'static) -> Self {
        Self(Box::new(pooled))
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").finish_non_exhaustive()
    }
}

impl Deref for Guest {
    type Target = dyn Session;

    fn deref(&self) -> &Self::Target {
        self.0.to_ref()
    }
}

impl DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.to_mut()
    }
}

/// An error of the ORM, or the wish to roll back.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the error's type says.
    pub kind: Kind,
    /// What became of the write.
    pub outcome: Outcome,
    /// Whether it may be tried again.
    pub retry: Retry,
    /// The instance that the error names.
    pub instance: Option<String>,
    /// The error as it is printed.
    pub text: String,
}

/// What the ORM's own error type says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The connection was lost.
    Lost,
    /// Nothing was sent: no instance, or no connection, in time.
    NotSent,
    /// Refused as read-only.
    ReadOnly,
    /// A row like it is there already.
    Unique,
    /// The work of a transaction does not want it.
    Unwanted,
    /// Anything else, which no scenario expects.
    Other,
}

impl Failure {
    /// What work returns to have its transaction rolled back.
    #[must_use]
    pub fn unwanted() -> Self {
        let (kind, text) = (Kind::Unwanted, "unwanted".to_owned());
        Self { kind, outcome: Outcome::NotApplied, retry: Retry::Never, instance: None, text }
    }

    /// The pool had no session in time.
    #[must_use]
    pub fn exhausted(error: impl fmt::Display) -> Self {
        Self {
            kind: Kind::NotSent,
            outcome: Outcome::NotApplied,
            retry: Retry::AfterTopologyChange,
            instance: None,
            text: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, outcome, text, .. } = self;
        write!(f, "{kind:?}, {outcome:?}: {text}")
    }
}
