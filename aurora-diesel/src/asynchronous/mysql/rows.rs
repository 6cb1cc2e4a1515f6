//! Rows that own their connection while they arrive.
//!
//! diesel-async's rows of MySQL borrow the connection, and a session cannot hold both. So rows take
//! the connection with them, in a future that has both, and give it back at their end.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel_async::AsyncMysqlConnection;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::{StreamExt as _, pending};

use super::end::End;
use super::{Load, MysqlRow, refusal};
use crate::asynchronous::collect::{Collected, Values};

/// What rows hand over to who reads them.
#[derive(Default)]
pub(super) struct Hand {
    /// Whether some rows were delivered: then nobody else asks what an error means.
    is_delivering: AtomicBool,
    row: Mutex<Option<QueryResult<MysqlRow>>>,
    connection: Mutex<Option<AsyncMysqlConnection>>,
}

impl Hand {
    /// The connection, after the last row.
    pub(super) fn take_connection(&self) -> Option<AsyncMysqlConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_row(&self) -> Option<QueryResult<MysqlRow>> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn give_row(&self, row: QueryResult<MysqlRow>) {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner) = Some(row);
    }

    fn give_connection(&self, connection: AsyncMysqlConnection) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }
}

/// The rows of one query.
#[allow(missing_debug_implementations, reason = "rows have none")]
pub struct MysqlRows {
    /// Reads one row after the other; the connection is in it. None when it has ended.
    reading: Option<BoxFuture<'static, ()>>,
    hand: Arc<Hand>,
    end: Arc<End>,
}

impl MysqlRows {
    /// Sends the query when the first row is asked for.
    pub(super) fn new(
        mut connection: AsyncMysqlConnection,
        (query, values, load): (Collected<Mysql>, Values<Mysql>, Load),
        hand: Arc<Hand>,
        end: Arc<End>,
    ) -> Self {
        hand.is_delivering.store(false, Ordering::Release);
        let theirs = Arc::clone(&hand);
        let reading = async move {
            if let Err(error) = read(load(query, values, &mut connection), &theirs).await {
                let error = match theirs.is_delivering.load(Ordering::Acquire) {
                    true => refusal::with_kind(error, &mut connection).await,
                    false => error,
                };
                theirs.give_row(Err(error));
            }
            theirs.give_connection(connection);
        };
        Self { reading: Some(Box::pin(reading)), hand, end }
    }

    /// The rows from here on are delivered as they arrive.
    pub(super) fn delivering(self) -> Self {
        self.hand.is_delivering.store(true, Ordering::Release);
        self
    }
}

/// Hands over one row after the other.
async fn read<S>(loading: impl Future<Output = QueryResult<S>>, hand: &Hand) -> QueryResult<()>
where
    S: Stream<Item = QueryResult<MysqlRow>> + Unpin,
{
    let mut rows = loading.await?;
    while let Some(row) = rows.next().await {
        hand.give_row(Ok(row?));
        // Who polls has seen it then, and polls again when the next one is wanted.
        pending!();
    }
    Ok(())
}

impl Stream for MysqlRows {
    type Item = QueryResult<MysqlRow>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let polled = reading.as_mut().poll(context);
        if polled.is_ready() {
            self.reading = None;
        }
        if let Some(row) = self.hand.take_row() {
            return Poll::Ready(Some(row));
        }
        if polled.is_ready() {
            return Poll::Ready(None);
        }
        if let Err(error) = self.end.check(context) {
            self.reading = None;
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Pending
    }
}
