//! The physical connection: diesel-async's, and the task that drives it.

use std::fmt;
use std::time::Instant;

use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Cluster, Error, ErrorKind, Instance, Outcome, PostgresDriver};
use diesel::connection::InstrumentationEvent;
use diesel::result::{DatabaseErrorKind, QueryResult};
use diesel_async::{
    AsyncConnection as _, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection as _,
};
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use tokio::task::AbortHandle;

use super::ahead::Ahead;
use super::collect::{Collected, Load, Values};
use super::statement::{Statement, Work};
use super::types::Types;

/// A row of PostgreSQL, as diesel-async has it.
pub(crate) type PgRow = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
/// The rows of one query, as diesel-async has them.
pub(crate) type PgRows = BoxStream<'static, QueryResult<PgRow>>;

/// A connection that can be ended while somebody waits for it.
pub(crate) struct Physical {
    pub(crate) connection: AsyncPgConnection,
    driver: PostgresDriver,
    types: Types,
}

/// What a statement gave.
pub(crate) enum Done {
    Batch,
    Count(usize),
    Rows {
        ahead: Ahead<PgRow>,
        /// What is still to come.
        rest: Option<PgRows>,
    },
}

/// How a connection is after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Closed,
    /// It is in a transaction that the server has given up.
    InFailedTransaction,
    Usable,
}

impl Physical {
    /// Connects to `instance` before `deadline`.
    pub(crate) async fn open(
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let (client, driver) = cluster.connect_postgres(instance, deadline).await?;
        let connection = cluster.until(deadline, AsyncPgConnection::try_from(client)).await;
        let (kind, text) = match connection {
            Some(Ok(connection)) => {
                return Ok(Self { connection, driver, types: Types::default() });
            }
            Some(Err(error)) => (ErrorKind::ConnectionLost, error.to_string()),
            None => (ErrorKind::Deadline, "it did not answer before the deadline".to_owned()),
        };
        Err(Error::new(kind, text).with_outcome(Outcome::NotApplied).on(instance.id()))
    }

    /// What ends the connection from outside.
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.driver.abort_handle()
    }

    /// Whether the connection is certainly closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    /// Runs the statement.
    pub(crate) async fn perform(&mut self, statement: &mut Statement<'_>) -> QueryResult<Done> {
        match &mut statement.work {
            Work::Batch(sql) => {
                Box::pin(self.connection.batch_execute(sql)).await?;
                Ok(Done::Batch)
            }
            Work::Count(query, count) => {
                let values = self.values_of(query).await?;
                Ok(Done::Count(count(query, values, &mut self.connection).await?))
            }
            Work::Load(query, load) => self.load(query, *load, &statement.classification).await,
        }
    }

    /// Of what changes data all rows are fetched: only after the last one it is known that the
    /// change is permanent. Of reads two rows are, or the end: so the usual query of one row is
    /// over when its row is delivered, and before that it can be run again.
    async fn load(
        &mut self,
        query: &mut Collected,
        load: Load,
        classification: &Classification,
    ) -> QueryResult<Done> {
        let enough = match classification.verdict() {
            Verdict::Read | Verdict::Lock => 2,
            Verdict::Session | Verdict::Transaction(_) | Verdict::Write => usize::MAX,
        };
        let values = self.values_of(query).await?;
        let mut rows = load(query, values, &mut self.connection).await?;
        let mut ahead = Ahead::default();
        while ahead.len() < enough {
            match rows.next().await {
                Some(row) => ahead.push_back(row?),
                None => return Ok(Done::Rows { ahead, rest: None }),
            }
        }
        Ok(Done::Rows { ahead, rest: Some(rows) })
    }

    /// The values of the query, with the numbers of the user's own types filled in.
    async fn values_of(&mut self, query: &mut Collected) -> QueryResult<Values> {
        let values = query.take_values();
        match query.custom() {
            None => Ok(values),
            Some(custom) => {
                Box::pin(self.types.resolve(custom, values, &mut self.connection)).await
            }
        }
    }

    /// Asks the connection how it is.
    ///
    /// diesel-async gives one kind of error for "never sent" and "no answer", and no code with
    /// which a server says farewell; both are told apart here without a look at any words.
    ///
    /// No instrumentation sees this, nor anything after it until one is set again.
    pub(crate) async fn condition(&mut self) -> Condition {
        if self.is_closed() {
            return Condition::Closed;
        }
        self.connection.set_instrumentation(|_: InstrumentationEvent<'_>| ());
        match self.connection.batch_execute("SELECT 1").await {
            Ok(()) => Condition::Usable,
            Err(diesel::result::Error::DatabaseError(
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
                _,
            )) => Condition::Closed,
            Err(_) => Condition::InFailedTransaction,
        }
    }
}

impl fmt::Debug for Physical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Physical").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
