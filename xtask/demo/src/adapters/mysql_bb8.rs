//! diesel-async through its bb8 pool, on MySQL.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, Outcome};
use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager};
use diesel::dsl::{now, sql};
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _, QueryResult};
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _};
use tokio::runtime::Runtime;

use super::tables::{
    address, failure, pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers,
};
use super::{Adapter, Failure, Transfer};

type Manager = AuroraConnectionManager<AsyncMysqlConnection>;
type Connection = AuroraConnection<AsyncMysqlConnection>;
type Session<'a> = bb8::PooledConnection<'a, Manager>;

/// The pool, and the runtime that the application would have.
pub(crate) struct MysqlBb8 {
    pool: bb8::Pool<Manager>,
    runtime: Runtime,
}

impl MysqlBb8 {
    pub(crate) fn open(
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let manager = AuroraConnectionManager::mysql(cluster.clone());
        let pool = bb8::Pool::builder().max_size(threads.into());
        let pool = runtime.block_on(pool.build(manager))?;
        Ok(Self { pool, runtime })
    }

    async fn session(&self) -> Result<Session<'_>, Failure> {
        self.pool.get().await.map_err(|error| Failure {
            outcome: Outcome::NotApplied,
            read_only: false,
            message: format!("no session from the pool: {error}"),
        })
    }
}

impl Adapter for MysqlBb8 {
    fn name(&self) -> &'static str {
        "diesel-async, bb8, MySQL"
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            let text = (*session)
                .transaction(async |session| tpcb(session, transfer).await)
                .await
                .map_err(|error| failure(&error))?;
            address(&text)
        })
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            address(&record(&mut session, transfer).await.map_err(|error| failure(&error))?)
        })
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            let (_, text) =
                balance(&mut session, account).await.map_err(|error| failure(&error))?;
            address(&text)
        })
    }
}

/// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
async fn tpcb(session: &mut Connection, transfer: &Transfer) -> QueryResult<String> {
    use pgbench_accounts::dsl as a;
    use pgbench_branches::dsl as b;
    use pgbench_tellers::dsl as t;
    diesel::update(a::pgbench_accounts.find(transfer.account))
        .set(a::abalance.eq(a::abalance + transfer.delta))
        .execute(session)
        .await?;
    balance(session, transfer.account).await?;
    diesel::update(t::pgbench_tellers.find(transfer.teller))
        .set(t::tbalance.eq(t::tbalance + transfer.delta))
        .execute(session)
        .await?;
    diesel::update(b::pgbench_branches.find(transfer.branch))
        .set(b::bbalance.eq(b::bbalance + transfer.delta))
        .execute(session)
        .await?;
    record(session, transfer).await
}

async fn balance(session: &mut Connection, account: i32) -> QueryResult<(i32, String)> {
    pgbench_accounts::table
        .find(account)
        .select((pgbench_accounts::abalance, sql::<Text>("@@bind_address")))
        .first(session)
        .await
}

/// Writes the row of one transfer; autocommit unless a transaction is open.
async fn record(session: &mut Connection, transfer: &Transfer) -> QueryResult<String> {
    use pgbench_history::dsl as h;
    diesel::insert_into(h::pgbench_history)
        .values((
            h::tid.eq(transfer.teller),
            h::bid.eq(transfer.branch),
            h::aid.eq(transfer.account),
            h::delta.eq(transfer.delta),
            h::mtime.eq(now),
            h::filler.eq(transfer.id.to_string()),
        ))
        .execute(session)
        .await?;
    // As Diesel's adapter asks it, and for the same reasons.
    let place = diesel::select(sql::<Text>("CONCAT(@@bind_address, LEFT(ROW_COUNT(), 0))"));
    Ok(place.get_result(session).await.unwrap_or_else(|_| "0.0.0.0".to_owned()))
}
