//! Diesel through its r2d2 pool.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, Outcome};
use aurora_diesel::{AuroraConnection, AuroraConnectionManager, Physical};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::r2d2::{Pool, PooledConnection};

use super::tables::{
    UNTOLD, address, failure, mysql_inserted, mysql_server, pgbench_accounts, pgbench_branches,
    pgbench_history, pgbench_tellers, server,
};
use super::{Adapter, Failure, Transfer};

/// What the load runs on sessions of one of Diesel's connections. Each statement ends with the
/// instance that executed it.
pub(crate) trait Bank: Physical {
    /// What the ORM and its pool are called with it.
    const NAME: &str;

    /// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
    fn tpcb(session: &mut AuroraConnection<Self>, transfer: &Transfer) -> QueryResult<String>;

    fn balance(session: &mut AuroraConnection<Self>, account: i32) -> QueryResult<(i32, String)>;

    /// Writes the row of one transfer; autocommit unless a transaction is open.
    fn record(session: &mut AuroraConnection<Self>, transfer: &Transfer) -> QueryResult<String>;
}

/// The pool.
pub(crate) struct DieselR2d2<C: Bank> {
    pool: Pool<AuroraConnectionManager<C>>,
}

impl<C: Bank> DieselR2d2<C> {
    pub(crate) fn open(
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let manager = AuroraConnectionManager::new(cluster.clone());
        Ok(Self { pool: Pool::builder().max_size(threads.into()).build(manager)? })
    }

    fn session(&self) -> Result<PooledConnection<AuroraConnectionManager<C>>, Failure> {
        self.pool.get().map_err(|error| Failure {
            outcome: Outcome::NotApplied,
            read_only: false,
            message: format!("no session from the pool: {error}"),
        })
    }
}

impl<C: Bank> Adapter for DieselR2d2<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        let text = session
            .transaction(|session| C::tpcb(session, transfer))
            .map_err(|error| failure(&error))?;
        address(&text)
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        address(&C::record(&mut session, transfer).map_err(|error| failure(&error))?)
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        let (_, text) = C::balance(&mut session, account).map_err(|error| failure(&error))?;
        address(&text)
    }
}

/// The statements, for one connection: said generically, the bounds would be longer than they are.
/// Engines differ in how a server tells its address, also of the INSERT it executed.
macro_rules! bank {
    (
        $connection:ty, $name:literal, $server:expr,
        |$insert:ident, $session:ident| $executed:expr
    ) => {
        impl Bank for $connection {
            const NAME: &str = $name;

            fn tpcb(
                session: &mut AuroraConnection<Self>,
                transfer: &Transfer,
            ) -> QueryResult<String> {
                use pgbench_accounts::dsl as a;
                use pgbench_branches::dsl as b;
                use pgbench_tellers::dsl as t;
                diesel::update(a::pgbench_accounts.find(transfer.account))
                    .set(a::abalance.eq(a::abalance + transfer.delta))
                    .execute(session)?;
                Self::balance(session, transfer.account)?;
                diesel::update(t::pgbench_tellers.find(transfer.teller))
                    .set(t::tbalance.eq(t::tbalance + transfer.delta))
                    .execute(session)?;
                diesel::update(b::pgbench_branches.find(transfer.branch))
                    .set(b::bbalance.eq(b::bbalance + transfer.delta))
                    .execute(session)?;
                Self::record(session, transfer)
            }

            fn balance(
                session: &mut AuroraConnection<Self>,
                account: i32,
            ) -> QueryResult<(i32, String)> {
                pgbench_accounts::table
                    .find(account)
                    .select((pgbench_accounts::abalance, $server))
                    .first(session)
            }

            fn record(
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

bank!(PgConnection, "Diesel, r2d2", server(), |insert, session| {
    insert.returning(server()).get_result(session)
});

bank!(MysqlConnection, "Diesel, r2d2, MySQL", mysql_server(), |insert, session| {
    insert.execute(session)?;
    let told = diesel::select(mysql_inserted()).get_result(session);
    Ok(told.unwrap_or_else(|_| UNTOLD.to_owned()))
});
