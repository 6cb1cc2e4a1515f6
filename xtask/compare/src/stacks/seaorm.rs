//! SeaORM with its own connection and with ours.

use std::net::IpAddr;

use aurora_core::{Cluster, ErrorKind};
use aurora_seaorm::AuroraConnection;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr,
    RuntimeErr, Statement,
};
use tokio::runtime::Runtime;

use super::tables::address;
use super::{Failed, Failure, OURS, POOL_SIZE, Stack, runtime};

/// A connection of SeaORM's, which is a pool, and the runtime that the application would have.
pub(super) struct SeaOrm<C> {
    name: &'static str,
    table: &'static str,
    db: C,
    runtime: Runtime,
}

impl SeaOrm<AuroraConnection> {
    pub(super) fn ours(cluster: Cluster) -> Result<Self, Failed> {
        let db = AuroraConnection::builder(cluster).max_connections(POOL_SIZE.into()).build();
        Ok(Self { name: OURS, table: "compare_ours", db, runtime: runtime()? })
    }
}

impl SeaOrm<DatabaseConnection> {
    pub(super) fn stock(endpoint: &str) -> Result<Self, Failed> {
        let runtime = runtime()?;
        let mut options = ConnectOptions::new(endpoint);
        options.max_connections(POOL_SIZE.into());
        let db = runtime.block_on(Database::connect(options))?;
        Ok(Self { name: "Database::connect", table: "compare_stock", db, runtime })
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
        let sql = format!(
            "INSERT INTO {} (id) VALUES ($1) RETURNING host(inet_server_addr()) AS place",
            self.table
        );
        let insert = Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [id.into()]);
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

/// Whether the server refused a statement as read-only, by its SQLSTATE.
fn refused(error: &DbErr) -> bool {
    let (DbErr::Exec(cause) | DbErr::Query(cause) | DbErr::Conn(cause)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(cause) = cause else { return false };
    cause.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "25006")
}
