//! Diesel with r2d2.

use std::net::IpAddr;

use aurora_core::Cluster;
use aurora_diesel::AuroraConnectionManager;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use super::tables::{compare_ours, compare_stock, result, server};
use super::{Failed, Failure, OURS, POOL_SIZE, Stack};

/// r2d2 with our manager.
pub(super) struct Ours {
    pool: Pool<AuroraConnectionManager<PgConnection>>,
}

impl Ours {
    pub(super) fn open(cluster: Cluster) -> Result<Self, Failed> {
        let manager = AuroraConnectionManager::new(cluster);
        Ok(Self { pool: Pool::builder().max_size(POOL_SIZE.into()).build(manager)? })
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
        let mut connection = self.pool.get().map_err(|error| Failure::of_pool(&error))?;
        let insert = diesel::insert_into(compare_ours::table).values(compare_ours::id.eq(id));
        result(insert.returning(server()).get_result(&mut connection))
    }
}

/// r2d2 with Diesel's manager.
pub(super) struct Stock {
    pool: Pool<ConnectionManager<PgConnection>>,
}

impl Stock {
    pub(super) fn open(endpoint: &str) -> Result<Self, Failed> {
        let manager = ConnectionManager::new(endpoint);
        Ok(Self { pool: Pool::builder().max_size(POOL_SIZE.into()).build(manager)? })
    }
}

impl Stack for Stock {
    fn name(&self) -> &'static str {
        "r2d2"
    }

    fn table(&self) -> &'static str {
        "compare_stock"
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        let mut connection = self.pool.get().map_err(|error| Failure::of_pool(&error))?;
        let insert = diesel::insert_into(compare_stock::table).values(compare_stock::id.eq(id));
        result(insert.returning(server()).get_result(&mut connection))
    }
}
