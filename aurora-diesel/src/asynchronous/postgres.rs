//! PostgreSQL: diesel-async's `AsyncPgConnection`, and the task that drives it.

mod save;
mod types;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::transaction::RunOptions;
use aurora_core::{Cluster, Error, ErrorKind, Instance, Outcome, PostgresDriver};
use diesel::connection::InstrumentationEvent;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, QueryResult};
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::{
    AsyncConnection as _, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection as _,
};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use self::types::{CustomTypes, Types};
use super::ahead::Ahead;
use super::collect::{Collected, Sent, Values, has_id};
use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{After, Condition, Diagnosis, Driver, Link, Loaded};
use super::statement::{Done, Statement, Work};
use crate::errors;
use crate::replay::txid_current_if_assigned;

/// A row of PostgreSQL, as diesel-async has it.
type PgRow = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
/// The rows of one query, as diesel-async has them.
type PgRows = BoxStream<'static, QueryResult<PgRow>>;
/// How a query is put to a connection for its rows, with these values.
type Load = for<'c> fn(
    &Collected<Pg>,
    Values<Pg>,
    &'c mut AsyncPgConnection,
) -> BoxFuture<'c, QueryResult<PgRows>>;
/// How a query is put to a connection for the number of rows it touched, with these values.
type Count = for<'c> fn(
    &Collected<Pg>,
    Values<Pg>,
    &'c mut AsyncPgConnection,
) -> BoxFuture<'c, QueryResult<usize>>;

/// A query, and the types of the user's own that it mentions: seldom any, so they take no room.
#[derive(Debug)]
pub struct PgQuery {
    collected: Collected<Pg>,
    custom: Option<Box<CustomTypes>>,
}

impl Physical for AsyncPgConnection {}

impl Driver for AsyncPgConnection {
    type OneRow = PgRow;
    type Rows = PgRows;
    type Query = PgQuery;
    type Load = Load;
    type Count = Count;
    type Link = PgLink;

    const ABORTS_TRANSACTIONS: bool = true;
    const KEEPS_INSERT_ID: bool = false;

    fn collect<T>(query: &T, sql: Arc<str>, safe_to_cache: bool) -> QueryResult<PgQuery>
    where
        T: QueryFragment<Pg>,
    {
        let (values, custom) = CustomTypes::collect(query)?;
        let collected = Collected::new(sql, safe_to_cache, values);
        Ok(PgQuery { collected, custom: custom.map(Box::new) })
    }

    fn sql(query: &PgQuery) -> &str {
        query.collected.sql()
    }

    fn load_of<T: QueryId>() -> Load {
        if has_id::<T>() {
            |query, values, connection| {
                connection.load(Sent::<Pg, _, T::QueryId, true>::new(query, values))
            }
        } else {
            |query, values, connection| {
                connection.load(Sent::<Pg, _, (), false>::new(query, values))
            }
        }
    }

    fn count_of<T: QueryId>() -> Count {
        if has_id::<T>() {
            |query, values, connection| {
                let sent = Sent::<Pg, _, T::QueryId, true>::new(query, values);
                connection.execute_returning_count(sent)
            }
        } else {
            |query, values, connection| {
                let sent = Sent::<Pg, _, (), false>::new(query, values);
                connection.execute_returning_count(sent)
            }
        }
    }

    fn begin(isolation: &str, access: &str, deferrable: &str) -> String {
        format!("BEGIN TRANSACTION{isolation}{access}{deferrable}")
    }

    fn begin_sql(options: &RunOptions) -> String {
        options.begin_sql()
    }

    async fn transaction_id(session: &mut AuroraConnection<Self>) -> QueryResult<Option<i64>> {
        // It leaves no state in the session, unlike what the function's name has routing believe.
        let classification = session.cluster().classify("SELECT 1");
        let (_, query) = session.collect(&diesel::select(txid_current_if_assigned()))?;
        let load = Self::load_of::<diesel::dsl::select<txid_current_if_assigned>>();
        let mut statement = Statement { classification, work: Work::Load(query, load) };
        let Done::Rows(Loaded { mut ahead, rest }) = session.run(&mut statement).await? else {
            return Err(diesel::result::Error::NotFound);
        };
        if let Some(mut rest) = rest {
            while let Some(row) = rest.next().await {
                ahead.push_back(row?);
            }
        }
        let row = ahead.pop_front().ok_or(diesel::result::Error::NotFound)?;
        FromSqlRow::<Nullable<BigInt>, Pg>::build_from_row(&row)
            .map_err(diesel::result::Error::DeserializationError)
    }
}

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

/// Whether the server certainly goes on after this error, which saves the question.
fn tells_condition(error: &diesel::result::Error) -> bool {
    use diesel::result::Error;
    matches!(
        error,
        Error::DatabaseError(
            DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::ExclusionViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::UniqueViolation,
            _
        ) | Error::SerializationError(_)
            | Error::QueryBuilderError(_)
    )
}

fn trouble(error: &diesel::result::Error, condition: Condition) -> Trouble {
    use diesel::result::Error;
    match (condition, error) {
        (Condition::Closed, _) => Trouble::Lost,
        (_, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)) => Trouble::ReadOnly,
        (_, Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => Trouble::Conflict,
        (_, error) if errors::is_deadlock(error) => Trouble::Conflict,
        (Condition::InFailedTransaction | Condition::Usable, _) => Trouble::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind) -> diesel::result::Error {
        diesel::result::Error::DatabaseError(kind, Box::new(String::new()))
    }

    #[test]
    fn clauses_stand_in_the_order_of_postgresql() {
        let isolation = " ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(AsyncPgConnection::begin("", "", ""), "BEGIN TRANSACTION");
        assert_eq!(
            AsyncPgConnection::begin(isolation, " READ ONLY", " DEFERRABLE"),
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"
        );
    }

    #[test]
    fn what_the_driver_could_not_send_may_have_been_sent() {
        let error = error(DatabaseErrorKind::UnableToSendCommand);
        assert_eq!(trouble(&error, Condition::Closed), Trouble::Lost);
        assert_eq!(trouble(&error, Condition::Usable), Trouble::Statement);
        assert!(!tells_condition(&error));
    }

    #[test]
    fn a_server_that_says_farewell_is_lost_whatever_it_says() {
        for kind in [DatabaseErrorKind::SerializationFailure, DatabaseErrorKind::Unknown] {
            assert!(!tells_condition(&error(kind)));
        }
        let conflict = error(DatabaseErrorKind::SerializationFailure);
        assert_eq!(trouble(&conflict, Condition::Closed), Trouble::Lost);
        assert_eq!(trouble(&conflict, Condition::InFailedTransaction), Trouble::Conflict);
    }
}
