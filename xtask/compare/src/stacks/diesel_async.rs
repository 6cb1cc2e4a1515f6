//! diesel-async with bb8 and with deadpool.

use std::net::IpAddr;

use aurora_core::Cluster;
use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::prelude::ExpressionMethods as _;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, bb8, deadpool};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio::runtime::Runtime;

use super::tables::{compare_other, compare_ours, compare_stock, result, server};
use super::{Failed, Failure, OURS, POOL_SIZE, Stack, runtime};

/// bb8 with our manager.
pub(super) struct Ours {
    pool: ::bb8::Pool<AuroraConnectionManager>,
    runtime: Runtime,
}

impl Ours {
    pub(super) fn open(cluster: Cluster) -> Result<Self, Failed> {
        let runtime = runtime()?;
        let manager = AuroraConnectionManager::new(cluster);
        let pool = ::bb8::Pool::builder().max_size(POOL_SIZE.into()).build(manager);
        Ok(Self { pool: runtime.block_on(pool)?, runtime })
    }
}

impl Stack for Ours {
    fn name(&self) -> &'static str {
        OURS
    }

    fn table(&self) -> &'static str {
        "compare_ours"
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut connection = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
            let insert = diesel::insert_into(compare_ours::table).values(compare_ours::id.eq(id));
            result(insert.returning(server()).get_result(&mut *connection).await)
        })
    }
}

/// deadpool with diesel-async's manager.
pub(super) struct Deadpool {
    pool: deadpool::Pool<AsyncPgConnection>,
    runtime: Runtime,
}

impl Deadpool {
    pub(super) fn open(endpoint: &str) -> Result<Self, Failed> {
        let manager = AsyncDieselConnectionManager::new(endpoint);
        let pool = deadpool::Pool::builder(manager).max_size(POOL_SIZE.into()).build()?;
        Ok(Self { pool, runtime: runtime()? })
    }
}

impl Stack for Deadpool {
    fn name(&self) -> &'static str {
        "deadpool"
    }

    fn table(&self) -> &'static str {
        "compare_stock"
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut connection = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
            let insert = diesel::insert_into(compare_stock::table).values(compare_stock::id.eq(id));
            result(insert.returning(server()).get_result(&mut connection).await)
        })
    }
}

/// bb8 with diesel-async's manager.
pub(super) struct Bb8 {
    pool: bb8::Pool<AsyncPgConnection>,
    runtime: Runtime,
}

impl Bb8 {
    pub(super) fn open(endpoint: &str) -> Result<Self, Failed> {
        let runtime = runtime()?;
        let manager = AsyncDieselConnectionManager::new(endpoint);
        let pool = bb8::Pool::builder().max_size(POOL_SIZE.into()).build(manager);
        Ok(Self { pool: runtime.block_on(pool)?, runtime })
    }
}

impl Stack for Bb8 {
    fn name(&self) -> &'static str {
        "bb8"
    }

    fn table(&self) -> &'static str {
        "compare_other"
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut connection = self.pool.get().await.map_err(|error| Failure::of_pool(&error))?;
            let insert = diesel::insert_into(compare_other::table).values(compare_other::id.eq(id));
            result(insert.returning(server()).get_result(&mut connection).await)
        })
    }
}
