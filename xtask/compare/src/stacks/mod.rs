//! The stacks that are compared: an ORM with a pool, ours or the one its users have today.

mod diesel_async;
mod diesel_r2d2;
mod seaorm;
mod texts;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use ::diesel_async::pooled_connection::AsyncDieselConnectionManager;
use ::diesel_async::{AsyncMysqlConnection, AsyncPgConnection};
use aurora_core::{Cluster, Config};
use aurora_diesel::{AuroraConnectionManager, asynchronous};
use diesel::r2d2::{ConnectionManager, ManageConnection};
use diesel::{MysqlConnection, PgConnection};
use tokio::runtime::Runtime;

use self::diesel_async::{Bb8, Deadpool};
use self::diesel_r2d2::R2d2;
use self::seaorm::SeaOrm;
use crate::options::{Adapter, Engine};

pub(crate) use texts::TABLES;

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
    /// Whether an instance refused it as read-only: SQLSTATE 25006, or error 1290 of MariaDB.
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
pub(crate) fn open(
    engine: Engine,
    adapter: Adapter,
    urls: &Urls,
) -> Result<Vec<Arc<dyn Stack>>, Failed> {
    let cluster = Cluster::connect_blocking(Config::from_url(&urls.instances)?)?;
    let endpoint = urls.endpoint.as_str();
    Ok(match (adapter, engine) {
        (Adapter::Diesel, Engine::Postgres) => {
            let ours = AuroraConnectionManager::<PgConnection>::new(cluster);
            r2d2(engine, ours, ConnectionManager::<PgConnection>::new(endpoint))?
        }
        (Adapter::Diesel, Engine::Mysql) => {
            let ours = AuroraConnectionManager::<MysqlConnection>::new(cluster);
            r2d2(engine, ours, ConnectionManager::<MysqlConnection>::new(endpoint))?
        }
        (Adapter::DieselAsync, Engine::Postgres) => {
            let stock = || AsyncDieselConnectionManager::<AsyncPgConnection>::new(endpoint);
            vec![
                Arc::new(Bb8::ours(engine, asynchronous::AuroraConnectionManager::new(cluster))?),
                Arc::new(Deadpool::open(engine, stock())?),
                Arc::new(Bb8::stock(engine, stock())?),
            ]
        }
        (Adapter::DieselAsync, Engine::Mysql) => {
            // On a loopback address the driver would change to the server's socket file.
            let endpoint = format!("{endpoint}?prefer_socket=false");
            let stock =
                || AsyncDieselConnectionManager::<AsyncMysqlConnection>::new(endpoint.as_str());
            vec![
                Arc::new(Bb8::ours(engine, asynchronous::AuroraConnectionManager::mysql(cluster))?),
                Arc::new(Deadpool::open(engine, stock())?),
                Arc::new(Bb8::stock(engine, stock())?),
            ]
        }
        (Adapter::Seaorm, _) => vec![
            Arc::new(SeaOrm::ours(engine, cluster)?),
            Arc::new(SeaOrm::stock(engine, endpoint)?),
        ],
    })
}

/// Ours and Diesel's own.
fn r2d2<O, S>(engine: Engine, ours: O, stock: S) -> Result<Vec<Arc<dyn Stack>>, Failed>
where
    O: ManageConnection<Connection: diesel_r2d2::Inserts>,
    S: ManageConnection<Connection: diesel_r2d2::Inserts>,
{
    Ok(vec![
        Arc::new(R2d2::open(engine, (OURS, texts::OURS), ours)?),
        Arc::new(R2d2::open(engine, ("r2d2", texts::STOCK), stock)?),
    ])
}
