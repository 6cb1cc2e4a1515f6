//! [`Rows`]: the rows of one query, as they arrive.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use aurora_core::Role;
use aurora_core::sql::{Classification, Verdict};
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;
use futures_core::Stream;

use super::ahead::Ahead;
use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{Link as _, Loaded};
use super::recover::lost_in_the_middle;

/// The rows of one query.
///
/// What changed data has all its rows here before the first one is delivered. Reads are delivered
/// while they arrive; when their connection breaks in the middle, the error says so.
///
/// Dropping it early is safe: the session waits for the remaining rows where it must stay on this
/// connection, and closes the connection where it need not.
#[must_use = "rows do nothing unless polled"]
pub struct Rows<
    'conn,
    #[cfg(feature = "async-postgres")] C: Physical = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C: Physical,
> {
    ahead: Ahead<C::OneRow>,
    rest: Option<Rest<'conn, C>>,
    failed: Option<Error>,
}

/// What is still to come.
struct Rest<'conn, C: Physical> {
    /// Taken only by `drop`.
    rows: Option<C::Rows>,
    session: &'conn mut AuroraConnection<C>,
    is_over: bool,
    /// It calls functions nobody knows, where they can write: with every row.
    writes: bool,
}

impl<'conn, C: Physical> Rows<'conn, C> {
    pub(crate) fn new(
        Loaded { ahead, rest }: Loaded<C>,
        session: &'conn mut AuroraConnection<C>,
        classification: Classification,
    ) -> Self {
        let rest = rest.map(|rows| {
            // Should nobody ever drop it (`mem::forget`), the connection is in the middle of it.
            session.in_flight = Some(classification);
            let writes = !classification.rerunnable()
                && classification.verdict() == Verdict::Read
                && session.lease.as_ref().is_some_and(|lease| lease.role() == Role::Writer);
            Rest { rows: Some(rows), session, is_over: false, writes }
        });
        Self { ahead, rest, failed: None }
    }

    /// Takes in the next row, so that at least one is ahead, or the end is known.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.ahead.len() < 2 {
            let Some(rest) = &mut self.rest else { return Poll::Ready(()) };
            let Some(rows) = &mut rest.rows else { return Poll::Ready(()) };
            match ready!(Pin::new(rows).poll_next(context)) {
                Some(Ok(row)) => self.ahead.push_back(row),
                Some(Err(error)) => {
                    self.failed = Some(rest.fail(error));
                    self.rest = None;
                }
                None => {
                    rest.is_over = true;
                    self.rest = None;
                }
            }
        }
        Poll::Ready(())
    }
}

/// Nothing in it is pinned.
impl<C: Physical> Unpin for Rows<'_, C> {}

impl<C: Physical> Stream for Rows<'_, C> {
    type Item = QueryResult<C::OneRow>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.advance(context));
        let row = self.ahead.pop_front().map(Ok);
        Poll::Ready(row.or_else(|| self.failed.take().map(Err)))
    }
}

impl<C: Physical> Rest<'_, C> {
    /// The query failed in the middle.
    fn fail(&mut self, error: Error) -> Error {
        self.is_over = true;
        let session = &mut *self.session;
        let Some(place) = session.place() else { return error };
        let is_lost = matches!(
            error,
            Error::DatabaseError(
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
                _
            )
        );
        if is_lost || session.lease.as_ref().is_some_and(|lease| lease.is_closed()) {
            session.bury(&place, &error);
            session.session.disconnected();
            return lost_in_the_middle(&error, &place);
        }
        if session.session.is_free() {
            // Whether the server goes on cannot be asked here.
            session.dirty = true;
        } else if !C::ABORTS_TRANSACTIONS {
            // The server may have rolled back the transaction, and go on without it.
            session.close_lease();
            session.session.disconnected();
        } else if let Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) = &error {
            session.in_flight = None;
            session.manager_status().set_requires_rollback_maybe_up_to_top_level(true);
        }
        error
    }
}

impl<C: Physical> Drop for Rest<'_, C> {
    fn drop(&mut self) {
        self.session.in_flight = None;
        if self.writes {
            self.session.session.wrote(Instant::now());
        }
        if !self.is_over {
            *self.session.leftover() = self.rows.take();
        }
    }
}

impl<C: Physical> fmt::Debug for Rows<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("ahead", &self.ahead.len())
            .field("is_over", &self.rest.is_none())
            .finish_non_exhaustive()
    }
}
