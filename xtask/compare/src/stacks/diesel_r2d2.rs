//! Diesel with r2d2.

use std::net::IpAddr;

use aurora_diesel::AuroraConnection;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool};
use diesel::sql_types::BigInt;

use super::texts::{PLACE, Placed, plain_insert, result};
use super::{Failed, Failure, POOL_SIZE, Stack};
use crate::options::Engine;

/// r2d2 with our manager or Diesel's.
pub(super) struct R2d2<M: ManageConnection> {
    name: &'static str,
    table: &'static str,
    sql: String,
    pool: Pool<M>,
}

impl<M: ManageConnection> R2d2<M> {
    pub(super) fn open(
        engine: Engine,
        (name, table): (&'static str, &'static str),
        manager: M,
    ) -> Result<Self, Failed> {
        let pool = Pool::builder().max_size(POOL_SIZE.into()).build(manager)?;
        Ok(Self { name, table, sql: plain_insert(engine, table), pool })
    }
}

impl<M: ManageConnection<Connection: Inserts>> Stack for R2d2<M> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn table(&self) -> &'static str {
        self.table
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        let mut connection = self.pool.get().map_err(|error| Failure::of_pool(&error))?;
        result(connection.insert(&self.sql, id))
    }
}

/// A connection that runs [`plain_insert`].
pub(super) trait Inserts {
    fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed>;
}

/// The same words for each, whose bounds would take more room than they.
macro_rules! inserts {
    ($($connection:ty)+) => {
        $(
            impl Inserts for $connection {
                fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed> {
                    diesel::sql_query(sql).bind::<BigInt, _>(id).get_result(self)
                }
            }
        )+
    };
}

/// The same for those that ask for the place by itself.
macro_rules! inserts_and_asks {
    ($($connection:ty)+) => {
        $(
            impl Inserts for $connection {
                fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed> {
                    diesel::sql_query(sql).bind::<BigInt, _>(id).execute(self)?;
                    let placed = diesel::sql_query(PLACE).get_result(self);
                    Ok(placed.unwrap_or_else(|_| Placed::nowhere()))
                }
            }
        )+
    };
}

inserts! { PgConnection AuroraConnection<PgConnection> }
inserts_and_asks! { MysqlConnection AuroraConnection<MysqlConnection> }
