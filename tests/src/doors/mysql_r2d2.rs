//! Diesel with r2d2 on MySQL.

use std::sync::Arc;

use aurora_core::Cluster;
use diesel::MysqlConnection;
use futures_util::future::BoxFuture;

use super::blocking::opened;
use crate::door::Door;

/// A pool of so many sessions.
pub fn open(cluster: Cluster, size: usize) -> BoxFuture<'static, Arc<dyn Door>> {
    opened::<MysqlConnection>(cluster, size)
}
