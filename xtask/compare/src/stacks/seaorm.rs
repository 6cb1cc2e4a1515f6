//! SeaORM with its own connection and with ours.

use std::net::IpAddr;

use aurora_core::{Cluster, ErrorKind};
use aurora_seaorm::AuroraConnection;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr,
    RuntimeErr, SqlxMySqlError, Statement,
};
use tokio::runtime::Runtime;

use super::texts::{self, STOCK, address};
use super::{Failed, Failure, OURS, POOL_SIZE, Stack, runtime};
use crate::options::Engine;

/// A connection of SeaORM's, which is a pool, and the runtime that the application would have.
pub(super) struct SeaOrm<C> {
    name: &'static str,
    table: &'static str,
    backend: DatabaseBackend,
    sql: String,
    db: C,
    runtime: Runtime,
}

impl SeaOrm<AuroraConnection> {
    pub(super) fn ours(engine: Engine, cluster: Cluster) -> Result<Self, Failed> {
        let db = AuroraConnection::builder(cluster).max_connections(POOL_SIZE.into()).build();
        Ok(Self::new(engine, (OURS, texts::OURS), db, runtime()?))
    }
}

impl SeaOrm<DatabaseConnection> {
    pub(super) fn stock(engine: Engine, endpoint: &str) -> Result<Self, Failed> {
        let runtime = runtime()?;
        let mut options = ConnectOptions::new(endpoint);
        options.max_connections(POOL_SIZE.into());
        let db = runtime.block_on(Database::connect(options))?;
        Ok(Self::new(engine, ("Database::connect", STOCK), db, runtime))
    }
}

impl<C> SeaOrm<C> {
    fn new(
        engine: Engine,
        (name, table): (&'static str, &'static str),
        db: C,
        runtime: Runtime,
    ) -> Self {
        let backend = match engine {
            Engine::Postgres => DatabaseBackend::Postgres,
            Engine::Mysql => DatabaseBackend::MySql,
        };
        Self { name, table, backend, sql: texts::insert(engine, table), db, runtime }
    }
}

impl<C: ConnectionTrait + Send + Sync> Stack for SeaOrm<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn table(&self) -> &'static str {
        self.table
    }

    fn insert(&self, id: i64) -> Result<IpAddr, Failure> {
        let insert = Statement::from_sql_and_values(self.backend, &self.sql, [id.into()]);
        let row = self.runtime.block_on(self.db.query_one_raw(insert));
        let row = row.map_err(|error| failure(&error))?;
        let place = row.map(|row| row.try_get::<String>("", "place")).transpose();
        address(&place.map_err(|error| failure(&error))?.unwrap_or_default())
    }
}

/// A failure as the application sees it.
fn failure(error: &DbErr) -> Failure {
    let ours = aurora_seaorm::cause(error).map(aurora_core::Error::kind);
    Failure {
        read_only: ours == Some(ErrorKind::ReadOnly) || refused(error),
        message: error.to_string(),
    }
}

/// Whether the server refused a statement as read-only, by its code.
fn refused(error: &DbErr) -> bool {
    let (DbErr::Exec(cause) | DbErr::Query(cause) | DbErr::Conn(cause)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(cause) = cause else { return false };
    let Some(error) = cause.as_database_error() else { return false };
    match error.try_downcast_ref::<SqlxMySqlError>() {
        Some(mysql) => mysql.number() == 1290,
        None => error.code().is_some_and(|code| code == "25006"),
    }
}
