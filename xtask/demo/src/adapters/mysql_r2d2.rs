//! Diesel through its r2d2 pool, on MySQL.

use std::error::Error;
use std::net::IpAddr;

use aurora_core::{Cluster, Outcome};
use aurora_diesel::{AuroraConnection, AuroraConnectionManager};
use diesel::dsl::{now, sql};
use diesel::prelude::*;
use diesel::r2d2::{Pool, PooledConnection};
use diesel::sql_types::Text;

use super::tables::{
    address, failure, pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers,
};
use super::{Adapter, Failure, Transfer};

type Manager = AuroraConnectionManager<MysqlConnection>;
type Session = AuroraConnection<MysqlConnection>;

/// The pool.
pub(crate) struct MysqlR2d2 {
    pool: Pool<Manager>,
}

impl MysqlR2d2 {
    pub(crate) fn open(
        cluster: &Cluster,
        threads: u16,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let manager = Manager::new(cluster.clone());
        Ok(Self { pool: Pool::builder().max_size(threads.into()).build(manager)? })
    }

    fn session(&self) -> Result<PooledConnection<Manager>, Failure> {
        self.pool.get().map_err(|error| Failure {
            outcome: Outcome::NotApplied,
            read_only: false,
            message: format!("no session from the pool: {error}"),
        })
    }
}

impl Adapter for MysqlR2d2 {
    fn name(&self) -> &'static str {
        "Diesel, r2d2, MySQL"
    }

    fn transfer(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        let text = session
            .transaction(|session| tpcb(session, transfer))
            .map_err(|error| failure(&error))?;
        address(&text)
    }

    fn insert(&self, transfer: &Transfer) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        address(&record(&mut session, transfer).map_err(|error| failure(&error))?)
    }

    fn balance(&self, account: i32) -> Result<IpAddr, Failure> {
        let mut session = self.session()?;
        let (_, text) = balance(&mut session, account).map_err(|error| failure(&error))?;
        address(&text)
    }
}

/// The transaction of `pgbench --builtin=tpcb-like`, statement by statement.
fn tpcb(session: &mut Session, transfer: &Transfer) -> QueryResult<String> {
    use pgbench_accounts::dsl as a;
    use pgbench_branches::dsl as b;
    use pgbench_tellers::dsl as t;
    diesel::update(a::pgbench_accounts.find(transfer.account))
        .set(a::abalance.eq(a::abalance + transfer.delta))
        .execute(session)?;
    balance(session, transfer.account)?;
    diesel::update(t::pgbench_tellers.find(transfer.teller))
        .set(t::tbalance.eq(t::tbalance + transfer.delta))
        .execute(session)?;
    diesel::update(b::pgbench_branches.find(transfer.branch))
        .set(b::bbalance.eq(b::bbalance + transfer.delta))
        .execute(session)?;
    record(session, transfer)
}

fn balance(session: &mut Session, account: i32) -> QueryResult<(i32, String)> {
    pgbench_accounts::table
        .find(account)
        .select((pgbench_accounts::abalance, sql::<Text>("@@bind_address")))
        .first(session)
}

/// Writes the row of one transfer; autocommit unless a transaction is open.
fn record(session: &mut Session, transfer: &Transfer) -> QueryResult<String> {
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
        .execute(session)?;
    // There is no RETURNING, and no place in an INSERT for its instance: ROW_COUNT() has it asked on
    // the connection of the INSERT. That the INSERT is there is certain, whatever becomes of this.
    let place = sql::<Text>("SELECT CONCAT(@@bind_address, LEFT(ROW_COUNT(), 0))");
    Ok(place.get_result(session).unwrap_or_else(|_| "0.0.0.0".to_owned()))
}
