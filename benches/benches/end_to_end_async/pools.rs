//! The baselines: the same pools with nothing of ours in them, connected to one instance.
//!
//! None of them looks at a connection at check-out (`RecyclingMethod::Fast`, for bb8
//! `test_on_check_out(false)`, for SeaORM `test_before_acquire(false)`): by default that is a round
//! trip. sqlx's pool makes one more when a connection is returned, which cannot be switched off.

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod,
};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

pub(crate) type Manager = AsyncDieselConnectionManager<AsyncPgConnection>;

fn manager(url: &str) -> Manager {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    AsyncDieselConnectionManager::new_with_config(url, config)
}

pub(crate) async fn bb8(url: &str, size: u32) -> Result<bb8::Pool<Manager>, PoolError> {
    let pool = bb8::Pool::builder().max_size(size).test_on_check_out(false);
    pool.build(manager(url)).await
}

pub(crate) fn deadpool(
    url: &str,
    size: usize,
) -> Result<deadpool::managed::Pool<Manager>, deadpool::managed::BuildError> {
    deadpool::managed::Pool::builder(manager(url)).max_size(size).build()
}

pub(crate) fn mobc(url: &str, size: u32) -> mobc::Pool<Kept> {
    let pool = mobc::Pool::builder().max_open(size.into()).max_idle(size.into());
    pool.build(Kept(manager(url)))
}

pub(crate) async fn seaorm(url: &str, size: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(size).test_before_acquire(false).sqlx_logging(false);
    Database::connect(options).await
}

/// diesel-async's manager, with a `validate` that keeps connections.
///
/// diesel-async 0.9.2 returns "is broken" where mobc asks "is it valid", so that each check-in
/// closes a sound connection: that is no baseline to be compared with.
pub(crate) struct Kept(Manager);

#[mobc::async_trait]
impl mobc::Manager for Kept {
    type Connection = AsyncPgConnection;
    type Error = PoolError;

    async fn connect(&self) -> Result<AsyncPgConnection, PoolError> {
        mobc::Manager::connect(&self.0).await
    }

    async fn check(&self, connection: AsyncPgConnection) -> Result<AsyncPgConnection, PoolError> {
        mobc::Manager::check(&self.0, connection).await
    }

    fn validate(&self, connection: &mut AsyncPgConnection) -> bool {
        !bb8::ManageConnection::has_broken(&self.0, connection)
    }
}
