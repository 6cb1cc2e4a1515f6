//! A connection to PostgreSQL, and what ends it.

use std::fmt;
use std::time::Instant;

use aurora_core::{Cluster, Error, ErrorKind, Instance, Outcome, PostgresDriver};
use diesel::connection::InstrumentationEvent;
use diesel::pg::Pg;
use diesel::result::{DatabaseErrorKind, QueryResult};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::StreamExt as _;

use super::refusal::{tells_condition, trouble};
use super::types::Types;
use super::{Count, Load, PgQuery};
use crate::asynchronous::ahead::Ahead;
use crate::asynchronous::collect::Values;
use crate::asynchronous::driver::sealed::{After, Condition, Diagnosis, Link, Loaded};

/// A connection that can be ended while somebody waits for it.
pub struct PgLink {
    connection: AsyncPgConnection,
    driver: PostgresDriver,
    types: Types,
}

impl PgLink {
    /// The values of the query, with the numbers of the user's own types filled in.
    async fn values_of(&mut self, query: &mut PgQuery) -> QueryResult<Values<Pg>> {
        let values = query.collected.take_values();
        match query.custom.as_deref() {
            None => Ok(values),
            Some(custom) => {
                Box::pin(self.types.resolve(custom, values, &mut self.connection)).await
            }
        }
    }
}

impl Link<AsyncPgConnection> for PgLink {
    async fn open(
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

    fn abort(&self) -> impl Fn() + Send + Sync + 'static {
        let driver = self.driver.abort_handle();
        move || driver.abort()
    }

    fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    fn connection(&mut self) -> Option<&mut AsyncPgConnection> {
        Some(&mut self.connection)
    }

    /// Dropping it does that.
    fn sever(&mut self) {}

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        self.connection.batch_execute(sql).await
    }

    async fn count(&mut self, query: &mut PgQuery, count: Count) -> QueryResult<usize> {
        let values = self.values_of(query).await?;
        count(&query.collected, values, &mut self.connection).await
    }

    async fn load(
        &mut self,
        query: &mut PgQuery,
        load: Load,
        enough: usize,
    ) -> QueryResult<Loaded<AsyncPgConnection>> {
        let values = self.values_of(query).await?;
        let mut rows = load(&query.collected, values, &mut self.connection).await?;
        let mut ahead = Ahead::default();
        while ahead.len() < enough {
            match rows.next().await {
                Some(row) => ahead.push_back(row?),
                None => return Ok(Loaded { ahead, rest: None }),
            }
        }
        Ok(Loaded { ahead, rest: Some(rows) })
    }

    /// diesel-async gives one kind of error for "never sent" and "no answer", and no code with
    /// which a server says farewell; both are told apart here without a look at any words.
    async fn condition(&mut self) -> Condition {
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

    async fn diagnose(&mut self, error: diesel::result::Error, ends: bool) -> Diagnosis {
        let condition = if tells_condition(&error) && !ends {
            Condition::Usable
        } else {
            self.condition().await
        };
        Diagnosis { trouble: trouble(&error, condition), error, condition, after: After::Aborted }
    }

    async fn insert_id(&mut self) -> QueryResult<u64> {
        Ok(0)
    }

    async fn set_insert_id(&mut self, _id: u64) -> QueryResult<()> {
        Ok(())
    }
}

impl fmt::Debug for PgLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgLink").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
