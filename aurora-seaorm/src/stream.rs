//! Rows as they arrive.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aurora_core::Family;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use sea_orm::{DbBackend, DbErr, QueryResult, StreamTrait};
use tokio::sync::mpsc;

use crate::connection::AuroraConnection;
use crate::engine;
use crate::statement::{Ask, Rows};

/// How many rows are read ahead.
const AHEAD: usize = 32;

/// The rows of a statement, as they arrive.
///
/// The statement runs while the stream is polled. Until the first row was delivered a read whose
/// instance died is run again elsewhere; after that the stream ends with an error. Dropping the
/// stream before its end closes its connection, except in a transaction, which goes on.
pub struct AuroraStream {
    /// Runs the statement; polled with the stream, so that rows wait for whoever takes them.
    driver: Option<BoxFuture<'static, ()>>,
    rows: mpsc::Receiver<Result<QueryResult, DbErr>>,
    /// Whether the connection is still needed when the stream is dropped.
    outlived: Arc<AtomicBool>,
}

impl AuroraStream {
    /// The rows of a statement of a handle.
    pub(crate) fn of(connection: AuroraConnection, statement: sea_orm::Statement) -> Self {
        let outlived = Arc::new(AtomicBool::new(false));
        let is_tied = Arc::clone(&outlived);
        Self::driven_by(outlived, move |rows| async move {
            let slot = match connection.tie(&statement.sql).await {
                Ok(slot) => slot,
                Err(error) => return rows.end(Err(error)).await,
            };
            match slot {
                Some(slot) => {
                    is_tied.store(connection.config().family() == Family::MySql, Ordering::Relaxed);
                    let result =
                        connection.run_tied(&slot, (&statement).into(), Ask::Stream(&rows)).await;
                    rows.end(result).await;
                }
                None => {
                    let mut runner = connection.runner();
                    let result = runner.run((&statement).into(), Ask::Stream(&rows)).await;
                    connection.follow(&mut runner);
                    // Whoever takes the last row finds the connection idle.
                    drop(runner);
                    rows.end(result).await;
                }
            }
        })
    }

    /// The rows of a statement in a transaction.
    pub(crate) fn in_transaction<F>(family: Family, driver: impl FnOnce(Arc<Rows>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::driven_by(Arc::new(AtomicBool::new(family == Family::MySql)), driver)
    }

    /// The rows that `driver` sends.
    fn driven_by<F>(outlived: Arc<AtomicBool>, driver: impl FnOnce(Arc<Rows>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (to, rows) = mpsc::channel(AHEAD);
        Self { driver: Some(Box::pin(driver(Arc::new(Rows::new(to))))), rows, outlived }
    }
}

impl Stream for AuroraStream {
    type Item = Result<QueryResult, DbErr>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = this.rows.poll_recv(context) {
            return Poll::Ready(item);
        }
        if let Some(driver) = &mut this.driver
            && driver.as_mut().poll(context).is_ready()
        {
            this.driver = None;
        }
        // What the driver has sent meanwhile, or the end.
        this.rows.poll_recv(context)
    }
}

impl Drop for AuroraStream {
    /// A connection to MySQL is of no use to anybody once a read of it was dropped. Where it is
    /// still needed, the driver goes on until the next row, which nobody takes.
    fn drop(&mut self) {
        if !self.outlived.load(Ordering::Relaxed) {
            return;
        }
        let Some(driver) = self.driver.take() else { return };
        self.rows.close();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(driver);
        }
    }
}

impl fmt::Debug for AuroraStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraStream")
            .field("is_running", &self.driver.is_some())
            .finish_non_exhaustive()
    }
}

impl StreamTrait for AuroraConnection {
    type Stream<'a> = AuroraStream;

    fn get_database_backend(&self) -> DbBackend {
        engine::backend(self.config())
    }

    fn stream_raw<'a>(
        &'a self,
        statement: sea_orm::Statement,
    ) -> Pin<Box<dyn Future<Output = Result<AuroraStream, DbErr>> + 'a + Send>> {
        Box::pin(async move { Ok(AuroraStream::of(self.clone(), statement)) })
    }
}
