//! Ends what waits on a connection when its instance is lost.
//!
//! mysql_async has no task that drives a connection and could be aborted: whoever waits reads from
//! the socket himself. So everything that waits looks at this as well.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use futures_util::task::AtomicWaker;

/// The end of a connection, brought about from outside.
#[derive(Debug, Default)]
pub(super) struct End {
    has_come: AtomicBool,
    waker: AtomicWaker,
}

impl End {
    /// Nothing is waited for on the connection any more.
    pub(super) fn come(&self) {
        self.has_come.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn has_come(&self) -> bool {
        self.has_come.load(Ordering::Acquire)
    }

    /// Fails when the end has come; else whoever polls is woken when it does.
    pub(super) fn check(&self, context: &mut Context<'_>) -> QueryResult<()> {
        if !self.has_come() {
            self.waker.register(context.waker());
        }
        // It may have come in between.
        if self.has_come() { Err(closed()) } else { Ok(()) }
    }

    /// Does `work`, or fails as soon as the end has come.
    pub(super) async fn unless<T>(
        &self,
        work: impl Future<Output = QueryResult<T>> + Send,
    ) -> QueryResult<T> {
        let mut work = pin!(work);
        poll_fn(|context| match self.check(context) {
            Ok(()) => work.as_mut().poll(context),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }
}

/// The error for what waits on a connection that is ended, or was never sent on it.
pub(super) fn closed() -> Error {
    let text = "connection closed".to_owned();
    Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(text))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_ended_and_who_comes_later_does_not_begin() {
        let end = Arc::new(End::default());
        assert_eq!(end.unless(async { Ok(7) }).await, Ok(7));
        let waiting = tokio::spawn({
            let end = Arc::clone(&end);
            async move { end.unless(pending::<QueryResult<()>>()).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        end.come();
        assert_eq!(waiting.await.unwrap(), Err(closed()));
        assert_eq!(end.unless(async { Ok(7) }).await, Err(closed()));
    }
}
