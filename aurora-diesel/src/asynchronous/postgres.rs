//! PostgreSQL: diesel-async's `AsyncPgConnection`, and the task that drives it.

mod link;
mod refusal;
mod save;
mod types;

use std::sync::Arc;

use aurora_core::transaction::RunOptions;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;

use self::link::PgLink;
use self::types::CustomTypes;
use super::collect::{Collected, Sent, Values, has_id};
use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::{Driver, Loaded};
use super::statement::{Done, Statement, Work};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_stand_in_the_order_of_postgresql() {
        let isolation = " ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(AsyncPgConnection::begin("", "", ""), "BEGIN TRANSACTION");
        assert_eq!(
            AsyncPgConnection::begin(isolation, " READ ONLY", " DEFERRABLE"),
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"
        );
    }
}
