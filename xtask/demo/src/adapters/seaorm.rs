//! SeaORM through its routing connection.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, ErrorKind, Outcome};
use aurora_seaorm::AuroraConnection;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, TransactionTrait as _, Value};
use tokio::runtime::Runtime;

use super::tables::address;
use super::{Adapter, Failure, Transfer};

/// The handle, and the runtime that the application would have.
pub(crate) struct SeaOrm {
    db: AuroraConnection,
    runtime: Runtime,
}

impl SeaOrm {
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

impl Adapter for SeaOrm {
    fn name(&self) -> &'static str {
        "SeaORM"
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
    let accounts = "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2";
    db.execute_raw(add(accounts, transfer.account)).await?;
    balance(db, transfer.account).await?;
    let tellers = "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2";
    db.execute_raw(add(tellers, transfer.teller)).await?;
    let branches = "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2";
    db.execute_raw(add(branches, transfer.branch)).await?;
    record(db, transfer).await
}

async fn balance(db: &impl ConnectionTrait, account: i32) -> Result<String, DbErr> {
    let sql =
        "SELECT abalance, host(inet_server_addr()) AS place FROM pgbench_accounts WHERE aid = $1";
    place(db, statement(sql, [account.into()])).await
}

/// Writes the row of one transfer; autocommit unless a transaction is open.
async fn record(db: &impl ConnectionTrait, transfer: &Transfer) -> Result<String, DbErr> {
    let sql = "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) \
               VALUES ($1, $2, $3, $4, now(), $5) RETURNING host(inet_server_addr()) AS place";
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

/// The server's own word on where the statement ran.
pub(super) async fn place(
    db: &impl ConnectionTrait,
    statement: Statement,
) -> Result<String, DbErr> {
    let row = db.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("no row".to_owned()))?.try_get("", "place")
}

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, values)
}

/// A failure as the application sees it.
pub(super) fn failure(error: &DbErr) -> Failure {
    let kind = aurora_seaorm::cause(error).map(aurora_core::Error::kind);
    Failure {
        outcome: match error {
            DbErr::RecordNotFound(_) => Outcome::Applied,
            error => aurora_seaorm::outcome(error),
        },
        // The server's own refusal comes through unchanged.
        read_only: kind == Some(ErrorKind::ReadOnly)
            || error.to_string().contains("read-only transaction"),
        message: error.to_string(),
    }
}
