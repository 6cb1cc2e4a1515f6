//! diesel-async with bb8 and with deadpool.

use std::fmt::Display;
use std::net::IpAddr;

use aurora_diesel::asynchronous::AuroraConnection;
use bb8::ManageConnection;
use deadpool::managed::{self, Manager};
use diesel::QueryResult;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl as _};
use tokio::runtime::Runtime;

use super::texts::{OTHER, PLACE, Placed, STOCK, plain_insert, result};
use super::{Failed, Failure, OURS, POOL_SIZE, Stack, runtime, texts};
use crate::options::Engine;

/// bb8 with our manager or diesel-async's.
pub(super) struct Bb8<M: ManageConnection> {
    name: &'static str,
    table: &'static str,
    sql: String,
    pool: bb8::Pool<M>,
    runtime: Runtime,
}

impl<M: ManageConnection<Error: std::error::Error + Send + Sync>> Bb8<M> {
    pub(super) fn ours(engine: Engine, manager: M) -> Result<Self, Failed> {
        Self::open(engine, (OURS, texts::OURS), manager)
    }

    pub(super) fn stock(engine: Engine, manager: M) -> Result<Self, Failed> {
        Self::open(engine, ("bb8", OTHER), manager)
    }

    fn open(
        engine: Engine,
        (name, table): (&'static str, &'static str),
        manager: M,
    ) -> Result<Self, Failed> {
        let runtime = runtime()?;
        let pool = bb8::Pool::builder().max_size(POOL_SIZE.into()).build(manager);
        let pool = runtime.block_on(pool)?;
        Ok(Self { name, table, sql: plain_insert(engine, table), pool, runtime })
    }
}

impl<M: ManageConnection<Connection: Inserts, Error: std::error::Error>> Stack for Bb8<M> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn table(&self) -> &'static str {
        self.table
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut connection = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
            result(connection.insert(&self.sql, id).await)
        })
    }
}

/// deadpool with diesel-async's manager.
pub(super) struct Deadpool<M: Manager> {
    sql: String,
    pool: managed::Pool<M>,
    runtime: Runtime,
}

impl<M: Manager> Deadpool<M> {
    pub(super) fn open(engine: Engine, manager: M) -> Result<Self, Failed> {
        let pool = managed::Pool::builder(manager).max_size(POOL_SIZE.into()).build()?;
        Ok(Self { sql: plain_insert(engine, STOCK), pool, runtime: runtime()? })
    }
}

impl<M: Manager<Type: Inserts, Error: Display>> Stack for Deadpool<M> {
    fn name(&self) -> &'static str {
        "deadpool"
    }

    fn table(&self) -> &'static str {
        STOCK
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut connection = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
            result(connection.insert(&self.sql, id).await)
        })
    }
}

/// A connection that runs [`plain_insert`].
pub(super) trait Inserts {
    async fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed>;
}

/// The same words for each, whose bounds would take more room than they.
macro_rules! inserts {
    ($($connection:ty)+) => {
        $(
            impl Inserts for $connection {
                async fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed> {
                    diesel::sql_query(sql).bind::<BigInt, _>(id).get_result(self).await
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
                async fn insert(&mut self, sql: &str, id: i64) -> QueryResult<Placed> {
                    diesel::sql_query(sql).bind::<BigInt, _>(id).execute(self).await?;
                    let placed = diesel::sql_query(PLACE).get_result(self).await;
                    Ok(placed.unwrap_or_else(|_| Placed::nowhere()))
                }
            }
        )+
    };
}

inserts! { AsyncPgConnection AuroraConnection<AsyncPgConnection> }
inserts_and_asks! { AsyncMysqlConnection AuroraConnection<AsyncMysqlConnection> }
