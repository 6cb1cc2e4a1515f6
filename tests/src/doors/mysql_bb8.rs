//! diesel-async with bb8 on MySQL.

use std::sync::Arc;

use aurora_core::Cluster;
use aurora_diesel::asynchronous::AuroraConnectionManager;
use futures_util::future::BoxFuture;

use super::bb8::opened;
use crate::door::Door;

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    Box::pin(opened(AuroraConnectionManager::mysql(cluster), size))
}
