//! diesel-async with bb8.

use std::sync::Arc;

use async_trait::async_trait;
use aurora_core::Cluster;
use aurora_diesel::asynchronous::{AuroraConnectionManager, bb8::Pool};
use futures_util::future::BoxFuture;

use super::PATIENCE;
use super::asynchronous::{CheckOut, Pooled};
use crate::door::{Answer, Door, Failure, Guest};

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    Box::pin(async move {
        let manager = AuroraConnectionManager::new(cluster);
        let pool = Pool::builder().max_size(size.try_into().unwrap());
        let pool = pool.connection_timeout(PATIENCE).build(manager.clone()).await.unwrap();
        Arc::new(Pooled { pool, manager }) as Arc<dyn Door>
    })
}

#[async_trait]
impl CheckOut for Pool {
    async fn check_out(&self) -> Answer<Guest> {
        self.get_owned().await.map(Guest::new).map_err(Failure::exhausted)
    }
}
