//! One INSERT through each adapter and its pool.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use aurora_benches::Failure;
use aurora_diesel::{AuroraConnectionManager, Cluster, asynchronous};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::r2d2::Pool;
use diesel::sql_types::Text;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use tokio::runtime::Runtime;

diesel::table! {
    /// What is written.
    events {
        /// The key.
        id -> Integer,
        /// Any number.
        item -> Integer,
    }
}

/// Writes one row, and says at which instance it was written.
pub(crate) type Write = Arc<dyn Fn(i32) -> Result<IpAddr, Failure> + Send + Sync>;

/// The server's own word on where a statement runs.
const PLACE: &str = "host(inet_server_addr())";

fn place() -> SqlLiteral<Text> {
    sql(PLACE)
}

pub(crate) fn diesel(cluster: &Cluster, size: u32) -> Result<Write, Failure> {
    let manager = AuroraConnectionManager::<PgConnection>::new(cluster.clone());
    let pool = Pool::builder().max_size(size).build(manager)?;
    Ok(Arc::new(move |item| {
        let row = diesel::insert_into(events::table).values(events::item.eq(item));
        let text: String = row.returning(place()).get_result(&mut pool.get()?)?;
        Ok(text.parse()?)
    }))
}

pub(crate) fn bb8(cluster: &Cluster, size: u32) -> Result<Write, Failure> {
    let runtime = runtime()?;
    let manager = asynchronous::AuroraConnectionManager::new(cluster.clone());
    let pool = runtime.block_on(bb8::Pool::builder().max_size(size).build(manager))?;
    Ok(blocking(runtime, move |item| {
        let pool = pool.clone();
        async move {
            let row = diesel::insert_into(events::table).values(events::item.eq(item));
            let row = row.returning(place());
            let session = &mut *pool.get().await?;
            let text: String = diesel_async::RunQueryDsl::get_result(row, session).await?;
            Ok(text.parse()?)
        }
    }))
}

pub(crate) fn seaorm(cluster: &Cluster, size: u32) -> Result<Write, Failure> {
    let builder = aurora_seaorm::AuroraConnection::builder(cluster.clone());
    let pool = builder.max_connections(usize::try_from(size)?).build();
    Ok(blocking(runtime()?, move |item| {
        let pool = pool.clone();
        async move {
            let text = format!("INSERT INTO events (item) VALUES ($1) RETURNING {PLACE} AS place");
            let values = [item.into()];
            let row = Statement::from_sql_and_values(DatabaseBackend::Postgres, text, values);
            let row = pool.query_one_raw(row).await?.ok_or("no row came back")?;
            Ok(row.try_get::<String>("", "place")?.parse()?)
        }
    }))
}

/// The runtime that the application would have.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn blocking<F>(runtime: Runtime, write: impl Fn(i32) -> F + Send + Sync + 'static) -> Write
where
    F: Future<Output = Result<IpAddr, Failure>>,
{
    Arc::new(move |item| runtime.block_on(write(item)))
}
