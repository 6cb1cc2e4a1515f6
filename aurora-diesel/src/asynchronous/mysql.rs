//! MySQL and MariaDB: diesel-async's `AsyncMysqlConnection` over mysql_async.

mod end;
mod link;
mod refusal;
mod rows;
mod save;

use std::sync::Arc;

use aurora_core::transaction::RunOptions;
use aurora_core::{Error, ErrorKind, Family, Outcome};
use diesel::mysql::Mysql;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel_async::{AsyncConnectionCore, AsyncMysqlConnection};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

use self::link::MysqlLink;
use self::rows::MysqlRows;
use super::collect::{Collected, Sent, Values, has_id};
use super::connection::AuroraConnection;
use super::driver::Physical;
use super::driver::sealed::Driver;
use crate::errors;

/// A row of MySQL, as diesel-async has it.
type MysqlRow = <AsyncMysqlConnection as AsyncConnectionCore>::Row<'static, 'static>;
/// How a query is put to a connection for its rows, with these values.
type Load = for<'c> fn(
    Collected<Mysql>,
    Values<Mysql>,
    &'c mut AsyncMysqlConnection,
) -> BoxFuture<'c, QueryResult<BoxStream<'c, QueryResult<MysqlRow>>>>;
/// How a query is put to a connection for the number of rows it touched, with these values.
type Count = for<'c> fn(
    &Collected<Mysql>,
    Values<Mysql>,
    &'c mut AsyncMysqlConnection,
) -> BoxFuture<'c, QueryResult<usize>>;

impl Physical for AsyncMysqlConnection {}

impl Driver for AsyncMysqlConnection {
    type OneRow = MysqlRow;
    type Rows = MysqlRows;
    type Query = Collected<Mysql>;
    type Load = Load;
    type Count = Count;
    type Link = MysqlLink;

    const ABORTS_TRANSACTIONS: bool = false;
    const KEEPS_INSERT_ID: bool = true;

    fn collect<T>(query: &T, sql: Arc<str>, safe_to_cache: bool) -> QueryResult<Collected<Mysql>>
    where
        T: QueryFragment<Mysql>,
    {
        let mut values = Values::new();
        query.collect_binds(&mut values, &mut (), &Mysql)?;
        Ok(Collected::new(sql, safe_to_cache, values))
    }

    fn sql(query: &Collected<Mysql>) -> &str {
        query.sql()
    }

    fn load_of<T: QueryId>() -> Load {
        if has_id::<T>() {
            |query, values, connection| {
                connection.load(Sent::<Mysql, _, T::QueryId, true>::new(query, values))
            }
        } else {
            |query, values, connection| {
                connection.load(Sent::<Mysql, _, (), false>::new(query, values))
            }
        }
    }

    fn count_of<T: QueryId>() -> Count {
        if has_id::<T>() {
            |query, values, connection| {
                let sent = Sent::<Mysql, _, T::QueryId, true>::new(query, values);
                connection.execute_returning_count(sent)
            }
        } else {
            |query, values, connection| {
                let sent = Sent::<Mysql, _, (), false>::new(query, values);
                connection.execute_returning_count(sent)
            }
        }
    }

    /// MySQL sets the isolation level with a statement of its own, for the next transaction.
    fn begin(isolation: &str, access: &str, _deferrable: &str) -> String {
        let begin = format!("START TRANSACTION{access}");
        if isolation.is_empty() { begin } else { format!("SET TRANSACTION{isolation}; {begin}") }
    }

    fn begin_sql(options: &RunOptions) -> String {
        options.begin_statements(Family::MySql).join("; ")
    }

    /// Never asked for: see `Cluster::resolving`.
    async fn transaction_id(_session: &mut AuroraConnection<Self>) -> QueryResult<Option<i64>> {
        let text = "MySQL tells nobody what became of a transaction";
        let error = Error::new(ErrorKind::Configuration, text);
        Err(errors::from_core(&error.with_outcome(Outcome::NotApplied)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolation_level_is_set_before_the_transaction() {
        assert_eq!(AsyncMysqlConnection::begin("", "", ""), "START TRANSACTION");
        let isolation = " ISOLATION LEVEL READ COMMITTED";
        assert_eq!(
            AsyncMysqlConnection::begin(isolation, " READ ONLY", ""),
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ ONLY"
        );
        let options = RunOptions::new().read_only().repeatable_read();
        assert_eq!(
            AsyncMysqlConnection::begin_sql(&options),
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"
        );
    }
}
