//! diesel-async with bb8.

use std::sync::Arc;

use async_trait::async_trait;
use aurora_core::Cluster;
use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical, bb8::Pool};
use futures_util::future::BoxFuture;

use super::PATIENCE;
use super::asynchronous::{CheckOut, Pooled};
use crate::door::{Answer, Door, Failure, Guest, Session};

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    Box::pin(opened(AuroraConnectionManager::new(cluster), size))
}

/// The same of that manager.
pub(super) async fn opened<C: Physical>(
    manager: AuroraConnectionManager<C>,
    size: usize,
) -> Arc<dyn Door>
where
    AuroraConnection<C>: Session,
    Pooled<Pool<C>, C>: Door + 'static,
{
    let pool = Pool::builder().max_size(size.try_into().unwrap());
    let pool = pool.connection_timeout(PATIENCE).build(manager.clone()).await.unwrap();
    Arc::new(Pooled { pool, manager })
}

#[async_trait]
impl<C: Physical> CheckOut for Pool<C>
where
    AuroraConnection<C>: Session,
{
    async fn check_out(&self) -> Answer<Guest> {
        self.get_owned().await.map(Guest::new).map_err(Failure::exhausted)
    }
}
