//! Scopes: what holds until the future of a closure ends, or is dropped.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aurora_core::sql::Target;

use super::connection::AuroraConnection;
use super::driver::Physical;

/// An async closure whose future may move between threads. Implemented for all of them; it exists
/// because that future has no name.
pub trait AsyncFunc<T, R>:
    AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as AsyncFunc<T, R>>::Fut
{
    /// The future of a call.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> AsyncFunc<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// An async closure that can be called several times, and whose futures may move between threads.
/// Implemented for all that do not change what they have captured: as the calls may follow a
/// failure in the middle, what they count or collect belongs into an atomic or a mutex.
pub trait AsyncFuncMut<T, R>:
    AsyncFnMut(T) -> R + FnMut(T) -> <Self as AsyncFuncMut<T, R>>::Fut
{
    /// The future of a call.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> AsyncFuncMut<T, R> for F
where
    F: AsyncFnMut(T) -> R + FnMut(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// Notes when the future of a transaction is dropped before it has ended.
#[derive(Debug)]
pub(crate) struct TransactionScope {
    abandoned: Arc<Abandoned>,
    depth: u32,
    has_ended: bool,
}

/// The outermost transaction whose future was dropped, as the number of those around it.
#[derive(Debug)]
pub(crate) struct Abandoned(AtomicU32);

impl Default for Abandoned {
    fn default() -> Self {
        Self(AtomicU32::new(u32::MAX))
    }
}

impl Abandoned {
    /// Whether one was abandoned: a look costs less than a change, and there is one before every
    /// statement.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Relaxed) != u32::MAX
    }

    /// How many transactions are around the one that was abandoned; forgets it.
    pub(crate) fn take(&self) -> Option<u32> {
        Some(self.0.swap(u32::MAX, Relaxed)).filter(|depth| *depth != u32::MAX)
    }
}

impl TransactionScope {
    pub(crate) fn enter(abandoned: &Arc<Abandoned>, depth: u32) -> Self {
        Self { abandoned: Arc::clone(abandoned), depth, has_ended: false }
    }

    pub(crate) fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for TransactionScope {
    fn drop(&mut self) {
        if !self.has_ended {
            self.abandoned.0.fetch_min(self.depth, Relaxed);
        }
    }
}

/// Undoes the forcing, also when the scope's future is dropped.
pub(crate) struct Forced<'a, C: Physical> {
    pub(crate) connection: &'a mut AuroraConnection<C>,
    before: Option<Target>,
}

impl<'a, C: Physical> Forced<'a, C> {
    /// Has statements sent there.
    pub(crate) fn to(target: Target, connection: &'a mut AuroraConnection<C>) -> Self {
        let before = connection.session.force(Some(target));
        Self { connection, before }
    }
}

impl<C: Physical> Drop for Forced<'_, C> {
    fn drop(&mut self) {
        self.connection.session.force(self.before);
    }
}

impl<C: Physical> AuroraConnection<C> {
    /// Runs `work` with every statement sent to the writer.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    ///
    /// # Cancel safety
    ///
    /// That of `work`; afterwards statements go where they went before.
    pub async fn on_writer<F, T, E>(&mut self, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<T, E>
            + AsyncFunc<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
    {
        self.forced(Target::Writer, work).await
    }

    /// Runs `work` with its reads sent to readers, however far behind the session's own writes
    /// they are. Writes still go to the writer.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    ///
    /// # Cancel safety
    ///
    /// That of `work`; afterwards statements go where they went before.
    pub async fn on_reader<F, T, E>(&mut self, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<T, E>
            + AsyncFunc<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
    {
        self.forced(Target::Reader, work).await
    }

    async fn forced<F, T, E>(&mut self, target: Target, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<T, E>
            + AsyncFunc<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
    {
        let scope = Forced::to(target, self);
        work(&mut *scope.connection).await
    }
}
