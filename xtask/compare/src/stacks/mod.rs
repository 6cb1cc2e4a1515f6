//! The stacks that are compared: an ORM with a pool, ours or the one its users have today.

mod diesel_async;
mod diesel_r2d2;
mod seaorm;
mod tables;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use aurora_core::{Cluster, Config};
use tokio::runtime::Runtime;

use crate::options::Adapter;

pub(crate) use tables::TABLES;

/// Connections of each pool, and workers of each stack.
pub(crate) const POOL_SIZE: u8 = 8;
/// What our stack is called, with every adapter.
pub(crate) const OURS: &str = "ours";

pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// An application written with one ORM and one pool.
pub(crate) trait Stack: Send + Sync {
    /// [`OURS`], or what the stock pool is called.
    fn name(&self) -> &'static str;

    /// The table the stack writes to, which is one of [`TABLES`].
    fn table(&self) -> &'static str;

    /// Takes a connection from the pool, makes one INSERT in autocommit mode, and gives the
    /// connection back; returns the instance that executed it.
    fn insert(&self, id: i64) -> Result<IpAddr, Failure>;
}

/// A write that failed, in the eyes of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whether an instance refused it as read-only, SQLSTATE 25006.
    pub(crate) read_only: bool,
    pub(crate) message: String,
}

impl Failure {
    /// The pool had no connection.
    fn of_pool(error: &impl ToString) -> Self {
        Self { read_only: false, message: format!("pool: {}", error.to_string()) }
    }
}

/// Where the stacks connect to.
#[derive(Debug)]
pub(crate) struct Urls {
    /// All instances; for ours.
    pub(crate) instances: String,
    /// The cluster endpoint; for the stock pools.
    pub(crate) endpoint: String,
}

/// The runtime that an asynchronous application would have.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Opens our stack, then the stock ones.
pub(crate) fn open(adapter: Adapter, urls: &Urls) -> Result<Vec<Arc<dyn Stack>>, Failed> {
    let cluster = Cluster::connect_blocking(Config::from_url(&urls.instances)?)?;
    let endpoint = urls.endpoint.as_str();
    Ok(match adapter {
        Adapter::Diesel => vec![
            Arc::new(diesel_r2d2::Ours::open(cluster)?),
            Arc::new(diesel_r2d2::Stock::open(endpoint)?),
        ],
        Adapter::DieselAsync => vec![
            Arc::new(diesel_async::Ours::open(cluster)?),
            Arc::new(diesel_async::Deadpool::open(endpoint)?),
            Arc::new(diesel_async::Bb8::open(endpoint)?),
        ],
        Adapter::Seaorm => vec![
            Arc::new(seaorm::SeaOrm::ours(cluster)?),
            Arc::new(seaorm::SeaOrm::stock(endpoint)?),
        ],
    })
}
