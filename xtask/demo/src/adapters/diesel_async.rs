//! diesel-async through its bb8 pool.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, Outcome};
use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical, bb8};
use diesel::dsl::now;
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _, QueryResult};
use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl as _,
};
use tokio::runtime::Runtime;

use super::tables::{
    UNTOLD, address, failure, mysql_inserted, mysql_server, pgbench_accounts, pgbench_branches,
    pgbench_history, pgbench_tellers, server,
};
use super::{Adapter, Failure, Transfer};

/// What the load runs on sessions of one of diesel-async's connections. Each statement ends with the
/// instance that executed it.
pub(crate) trait Bank: Physical {
    /// What the ORM and its pool are called with it.
    const NAME: &str;

    fn manager(cluster: Cluster) -> AuroraConnectionManager<Self>;

    /// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
    fn tpcb(
        session: &mut AuroraConnection<Self>,
        transfer: &Transfer,
    ) -> impl Future<Output = QueryResult<String>> + Send;

    fn balance(
        session: &mut AuroraConnection<Self>,
        account: i32,
    ) -> impl Future<Output = QueryResult<(i32, String)>> + Send;

    /// Writes the row of one transfer; autocommit unless a transaction is open.
    fn record(
        session: &mut AuroraConnection<Self>,
        transfer: &Transfer,
    ) -> impl Future<Output = QueryResult<String>> + Send;
}

/// The pool, and the runtime that the application would have.
pub(crate) struct DieselAsync<C: Bank> {
    pool: bb8::Pool<C>,
    runtime: Runtime,
}

impl<C: Bank> DieselAsync<C> {
    pub(crate) fn open(
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let pool = bb8::Pool::builder().max_size(threads.into());
        let pool = runtime.block_on(pool.build(C::manager(cluster.clone())))?;
        Ok(Self { pool, runtime })
    }

    async fn session(&self) -> Result<bb8::PooledConnection<'_, C>, Failure> {
        self.pool.get().await.map_err(|error| Failure {
            outcome: Outcome::NotApplied,
            read_only: false,
            message: format!("no session from the pool: {error}"),
        })
    }
}

impl<C: Bank> Adapter for DieselAsync<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            let text = (*session)
                .transaction(async |session| C::tpcb(session, transfer).await)
                .await
                .map_err(|error| failure(&error))?;
            address(&text)
        })
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            address(&C::record(&mut session, transfer).await.map_err(|error| failure(&error))?)
        })
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        self.runtime.block_on(async {
            let mut session = self.session().await?;
            let (_, text) =
                C::balance(&mut session, account).await.map_err(|error| failure(&error))?;
            address(&text)
        })
    }
}

/// The statements, for one connection: said generically, the bounds would be longer than they are.
/// Engines differ in how a server tells its address, also of the INSERT it executed.
macro_rules! bank {
    (
        $connection:ty, $name:literal, $manager:path, $server:expr,
        |$insert:ident, $session:ident| $executed:expr
    ) => {
        impl Bank for $connection {
            const NAME: &str = $name;

            fn manager(cluster: Cluster) -> AuroraConnectionManager<Self> {
                $manager(cluster)
            }

            async fn tpcb(
                session: &mut AuroraConnection<Self>,
                transfer: &Transfer,
            ) -> QueryResult<String> {
                use pgbench_accounts::dsl as a;
                use pgbench_branches::dsl as b;
                use pgbench_tellers::dsl as t;
                diesel::update(a::pgbench_accounts.find(transfer.account))
                    .set(a::abalance.eq(a::abalance + transfer.delta))
                    .execute(session)
                    .await?;
                Self::balance(session, transfer.account).await?;
                diesel::update(t::pgbench_tellers.find(transfer.teller))
                    .set(t::tbalance.eq(t::tbalance + transfer.delta))
                    .execute(session)
                    .await?;
                diesel::update(b::pgbench_branches.find(transfer.branch))
                    .set(b::bbalance.eq(b::bbalance + transfer.delta))
                    .execute(session)
                    .await?;
                Self::record(session, transfer).await
            }

            async fn balance(
                session: &mut AuroraConnection<Self>,
                account: i32,
            ) -> QueryResult<(i32, String)> {
                pgbench_accounts::table
                    .find(account)
                    .select((pgbench_accounts::abalance, $server))
                    .first(session)
                    .await
            }

            async fn record(
                $session: &mut AuroraConnection<Self>,
                transfer: &Transfer,
            ) -> QueryResult<String> {
                use pgbench_history::dsl as h;
                let $insert = diesel::insert_into(h::pgbench_history).values((
                    h::tid.eq(transfer.teller),
                    h::bid.eq(transfer.branch),
                    h::aid.eq(transfer.account),
                    h::delta.eq(transfer.delta),
                    h::mtime.eq(now),
                    h::filler.eq(transfer.id.to_string()),
                ));
                $executed
            }
        }
    };
}

bank!(
    AsyncPgConnection,
    "diesel-async, bb8",
    AuroraConnectionManager::new,
    server(),
    |insert, session| insert.returning(server()).get_result(session).await
);

bank!(
    AsyncMysqlConnection,
    "diesel-async, bb8, MySQL",
    AuroraConnectionManager::mysql,
    mysql_server(),
    |insert, session| {
        insert.execute(session).await?;
        let told = diesel::select(mysql_inserted()).get_result(session).await;
        Ok(told.unwrap_or_else(|_| UNTOLD.to_owned()))
    }
);
