//! diesel-async with mobc.

use std::sync::Arc;

use async_trait::async_trait;
use aurora_core::Cluster;
use aurora_diesel::asynchronous::{AuroraConnectionManager, mobc::Pool};
use futures_util::future::BoxFuture;

use super::PATIENCE;
use super::asynchronous::{CheckOut, Pooled};
use crate::door::{Answer, Door, Failure, Guest};

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    Box::pin(async move {
        let manager = AuroraConnectionManager::new(cluster);
        let pool = Pool::builder().max_open(size.try_into().unwrap());
        let pool = pool.get_timeout(Some(PATIENCE)).build(manager.clone());
        Arc::new(Pooled { pool, manager }) as Arc<dyn Door>
    })
}

#[async_trait]
impl CheckOut for Pool {
    async fn check_out(&self) -> Answer<Guest> {
        self.get().await.map(Guest::new).map_err(Failure::exhausted)
    }
}
