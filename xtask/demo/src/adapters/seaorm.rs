//! SeaORM through its routing connection.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, ErrorKind, Outcome};
use aurora_seaorm::AuroraConnection;
use sea_orm::{
    ConnectionTrait, DbErr, RuntimeErr, SqlxMySqlError, Statement, TransactionTrait as _, Value,
};
use tokio::runtime::Runtime;

use super::tables::address;
use super::{Adapter, Failure, Transfer};
use crate::options::Engine;

/// The statements, as an engine wants them.
struct Texts {
    account: &'static str,
    teller: &'static str,
    branch: &'static str,
    /// Tells where it ran, as `place`; so does the next.
    balance: &'static str,
    history: &'static str,
}

const POSTGRES: Texts = Texts {
    account: "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2",
    teller: "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2",
    branch: "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2",
    balance: "SELECT abalance, host(inet_server_addr()) AS place FROM pgbench_accounts \
              WHERE aid = $1",
    history: "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) \
              VALUES ($1, $2, $3, $4, now(), $5) RETURNING host(inet_server_addr()) AS place",
};

/// RETURNING is MariaDB's, and tells the instance of the INSERT without another statement.
const MYSQL: Texts = Texts {
    account: "UPDATE pgbench_accounts SET abalance = abalance + ? WHERE aid = ?",
    teller: "UPDATE pgbench_tellers SET tbalance = tbalance + ? WHERE tid = ?",
    branch: "UPDATE pgbench_branches SET bbalance = bbalance + ? WHERE bid = ?",
    balance: "SELECT abalance, @@bind_address AS place FROM pgbench_accounts WHERE aid = ?",
    history: "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) \
              VALUES (?, ?, ?, ?, now(), ?) RETURNING @@bind_address AS place",
};

/// The handle, and the runtime that the application would have.
pub(crate) struct SeaOrm {
    name: &'static str,
    texts: &'static Texts,
    db: AuroraConnection,
    runtime: Runtime,
}

impl SeaOrm {
    pub(crate) fn open(
        engine: Engine,
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let (name, texts) = match engine {
            Engine::Postgres => ("SeaORM", &POSTGRES),
            Engine::Mysql => ("SeaORM, MySQL", &MYSQL),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let builder = AuroraConnection::builder(cluster.clone());
        let db = builder.max_connections(threads.into()).build();
        Ok(Self { name, texts, db, runtime })
    }
}

impl Adapter for SeaOrm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            // A session of its own, as a web request has one.
            let transaction = self.db.session().begin().await.map_err(|error| failure(&error))?;
            let text =
                self.texts.tpcb(&transaction, transfer).await.map_err(|error| failure(&error))?;
            transaction.commit().await.map_err(|error| failure(&error))?;
            address(&text)
        })
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let written = self.runtime.block_on(self.texts.record(&self.db.session(), transfer));
        address(&written.map_err(|error| failure(&error))?)
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        let read = self.runtime.block_on(self.texts.balance(&self.db.session(), account));
        address(&read.map_err(|error| failure(&error))?)
    }
}

impl Texts {
    /// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
    async fn tpcb(&self, db: &impl ConnectionTrait, transfer: &Transfer) -> Result<String, DbErr> {
        let add = |sql, key: i32| statement(db, sql, [transfer.delta.into(), key.into()]);
        db.execute_raw(add(self.account, transfer.account)).await?;
        self.balance(db, transfer.account).await?;
        db.execute_raw(add(self.teller, transfer.teller)).await?;
        db.execute_raw(add(self.branch, transfer.branch)).await?;
        self.record(db, transfer).await
    }

    async fn balance(&self, db: &impl ConnectionTrait, account: i32) -> Result<String, DbErr> {
        place(db, statement(db, self.balance, [account.into()])).await
    }

    /// Writes the row of one transfer; autocommit unless a transaction is open.
    async fn record(
        &self,
        db: &impl ConnectionTrait,
        transfer: &Transfer,
    ) -> Result<String, DbErr> {
        let Transfer { id, account, teller, branch, delta } = transfer;
        let values: [Value; 5] = [
            (*teller).into(),
            (*branch).into(),
            (*account).into(),
            (*delta).into(),
            id.to_string().into(),
        ];
        place(db, statement(db, self.history, values)).await
    }
}

/// The server's own word on where the statement ran.
async fn place(db: &impl ConnectionTrait, statement: Statement) -> Result<String, DbErr> {
    let row = db.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("no row".to_owned()))?.try_get("", "place")
}

fn statement(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// A failure as the application sees it.
fn failure(error: &DbErr) -> Failure {
    let kind = aurora_seaorm::cause(error).map(aurora_core::Error::kind);
    Failure {
        outcome: match error {
            DbErr::RecordNotFound(_) => Outcome::Applied,
            error => aurora_seaorm::outcome(error),
        },
        read_only: kind == Some(ErrorKind::ReadOnly) || is_refused(error),
        message: error.to_string(),
    }
}

/// Whether it is the server's own refusal of a write, which comes through unchanged.
fn is_refused(error: &DbErr) -> bool {
    error.to_string().contains("read-only transaction") || is_refused_by_mysql(error)
}

fn is_refused_by_mysql(error: &DbErr) -> bool {
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
