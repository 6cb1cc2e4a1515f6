//! SeaORM through its routing connection, on MySQL.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, ErrorKind};
use aurora_seaorm::AuroraConnection;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DbErr, RuntimeErr, SqlxMySqlError, Statement,
    TransactionTrait as _, Value,
};
use tokio::runtime::Runtime;

use super::seaorm::{self, place};
use super::tables::address;
use super::{Adapter, Failure, Transfer};

/// The handle, and the runtime that the application would have.
pub(crate) struct MysqlSeaOrm {
    db: AuroraConnection,
    runtime: Runtime,
}

impl MysqlSeaOrm {
    pub(crate) fn open(
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let builder = AuroraConnection::builder(cluster.clone());
        let db = builder.max_connections(threads.into()).build();
        Ok(Self { db, runtime })
    }
}

impl Adapter for MysqlSeaOrm {
    fn name(&self) -> &'static str {
        "SeaORM, MySQL"
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            // A session of its own, as a web request has one.
            let transaction = self.db.session().begin().await.map_err(|error| failure(&error))?;
            let text = tpcb(&transaction, transfer).await.map_err(|error| failure(&error))?;
            transaction.commit().await.map_err(|error| failure(&error))?;
            address(&text)
        })
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let written = self.runtime.block_on(record(&self.db.session(), transfer));
        address(&written.map_err(|error| failure(&error))?)
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        let read = self.runtime.block_on(balance(&self.db.session(), account));
        address(&read.map_err(|error| failure(&error))?)
    }
}

/// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
async fn tpcb(db: &impl ConnectionTrait, transfer: &Transfer) -> Result<String, DbErr> {
    let add = |sql: &str, key: i32| statement(sql, [transfer.delta.into(), key.into()]);
    let accounts = "UPDATE pgbench_accounts SET abalance = abalance + ? WHERE aid = ?";
    db.execute_raw(add(accounts, transfer.account)).await?;
    balance(db, transfer.account).await?;
    let tellers = "UPDATE pgbench_tellers SET tbalance = tbalance + ? WHERE tid = ?";
    db.execute_raw(add(tellers, transfer.teller)).await?;
    let branches = "UPDATE pgbench_branches SET bbalance = bbalance + ? WHERE bid = ?";
    db.execute_raw(add(branches, transfer.branch)).await?;
    record(db, transfer).await
}

async fn balance(db: &impl ConnectionTrait, account: i32) -> Result<String, DbErr> {
    let sql = "SELECT abalance, @@bind_address AS place FROM pgbench_accounts WHERE aid = ?";
    place(db, statement(sql, [account.into()])).await
}

/// Writes the row of one transfer; autocommit unless a transaction is open. RETURNING is MariaDB's,
/// and tells the instance of the INSERT without another statement.
async fn record(db: &impl ConnectionTrait, transfer: &Transfer) -> Result<String, DbErr> {
    let sql = "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) \
               VALUES (?, ?, ?, ?, now(), ?) RETURNING @@bind_address AS place";
    let Transfer { id, account, teller, branch, delta } = transfer;
    let values: [Value; 5] = [
        (*teller).into(),
        (*branch).into(),
        (*account).into(),
        (*delta).into(),
        id.to_string().into(),
    ];
    place(db, statement(sql, values)).await
}

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DatabaseBackend::MySql, sql, values)
}

/// A failure as the application sees it. The server's own refusal comes through unchanged.
fn failure(error: &DbErr) -> Failure {
    let told = seaorm::failure(error);
    Failure { read_only: told.read_only || is_refused(error), ..told }
}

/// Whether the server says that it takes no writes.
fn is_refused(error: &DbErr) -> bool {
    let (DbErr::Conn(inner) | DbErr::Exec(inner) | DbErr::Query(inner)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = inner else { return false };
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<SqlxMySqlError>());
    error.is_some_and(|error| {
        let state = error.code().unwrap_or_default();
        ErrorKind::of_mysql(error.number(), state, error.message()) == ErrorKind::ReadOnly
    })
}
