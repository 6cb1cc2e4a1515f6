//! The seam between the load and an ORM: one small file per adapter.

mod diesel_async;
mod diesel_r2d2;
mod seaorm;
mod tables;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use ::diesel_async::{AsyncMysqlConnection, AsyncPgConnection};
use aurora_core::{Cluster, Outcome};
use diesel::{MysqlConnection, PgConnection};

use self::diesel_async::DieselAsync;
use self::diesel_r2d2::DieselR2d2;
use crate::ledger::Id;
use crate::options::Engine;

/// What the application does, written with one ORM and its pool. Every call checks a session out
/// of the pool and gives it back.
pub(crate) trait Adapter: Send + Sync {
    /// What the ORM and its pool are called.
    fn name(&self) -> &'static str;

    /// The TPC-B-like transaction of pgbench; returns the instance that committed it.
    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure>;

    /// One INSERT in autocommit mode; returns the instance that executed it.
    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure>;

    /// The SELECT-only statement of pgbench; returns the instance that served it.
    fn balance(&self, account: i32) -> Result<IpAddr, Failure>;
}

/// Money that goes to an account by way of a teller of a branch; a row of `pgbench_history`.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) id: Id,
    pub(crate) account: i32,
    pub(crate) teller: i32,
    pub(crate) branch: i32,
    pub(crate) delta: i32,
}

/// An operation that failed, in the eyes of the application.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Whether the database has it all the same.
    pub(crate) outcome: Outcome,
    /// Whether the instance refused it because it is a reader.
    pub(crate) read_only: bool,
    pub(crate) message: String,
}

/// The ORMs the load can run through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Diesel with r2d2
    Diesel,
    /// diesel-async with bb8
    DieselAsync,
    /// SeaORM
    Seaorm,
}

/// Opens the pool that the load runs through, with one session per thread.
pub(crate) fn open(
    engine: Engine,
    kind: Kind,
    cluster: &Cluster,
    threads: u16,
) -> Result<Arc<dyn Adapter>, Box<dyn Error + Send + Sync>> {
    Ok(match (kind, engine) {
        (Kind::Diesel, Engine::Postgres) => {
            Arc::new(DieselR2d2::<PgConnection>::open(cluster, threads)?)
        }
        (Kind::Diesel, Engine::Mysql) => {
            Arc::new(DieselR2d2::<MysqlConnection>::open(cluster, threads)?)
        }
        (Kind::DieselAsync, Engine::Postgres) => {
            Arc::new(DieselAsync::<AsyncPgConnection>::open(cluster, threads)?)
        }
        (Kind::DieselAsync, Engine::Mysql) => {
            Arc::new(DieselAsync::<AsyncMysqlConnection>::open(cluster, threads)?)
        }
        (Kind::Seaorm, engine) => Arc::new(seaorm::SeaOrm::open(engine, cluster, threads)?),
    })
}
