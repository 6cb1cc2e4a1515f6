//! For [`deadpool`](::deadpool).
//!
//! deadpool tells nobody of a check-in, so what its [`Pool`] hands out is wrapped: make the pool of
//! this module, not one of deadpool's own objects.
//!
//! ```no_run
//! use aurora_diesel::asynchronous::{AuroraConnectionManager, deadpool::Pool};
//! use aurora_diesel::{Cluster, Config};
//! use diesel_async::RunQueryDsl;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::connect(Config::from_url("postgres://app@db1,db2/shop")?).await?;
//! let pool = Pool::builder(AuroraConnectionManager::new(cluster)).max_size(8).build()?;
//! let mut connection = pool.get().await?;
//! diesel::sql_query("UPDATE carts SET open = false").execute(&mut connection).await?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::ops::{Deref, DerefMut};

use ::deadpool::managed::{Manager, Metrics, Object, RecycleResult};

#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;

use crate::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical};

/// A pool of sessions.
pub type Pool<
    #[cfg(feature = "async-postgres")] C = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C,
> = ::deadpool::managed::Pool<AuroraConnectionManager<C>, PooledConnection<C>>;

/// A session out of the pool; its connection goes back when it is dropped.
pub struct PooledConnection<
    #[cfg(feature = "async-postgres")] C: Physical = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C: Physical,
>(Object<AuroraConnectionManager<C>>);

impl<C: Physical> Manager for AuroraConnectionManager<C> {
    type Type = AuroraConnection<C>;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    async fn create(&self) -> Result<AuroraConnection<C>, aurora_core::Error> {
        Ok(self.session())
    }

    /// Whoever detached the wrapper is caught up with here.
    async fn recycle(
        &self,
        session: &mut AuroraConnection<C>,
        _metrics: &Metrics,
    ) -> RecycleResult<aurora_core::Error> {
        session.check_in();
        Ok(())
    }
}

impl<C: Physical> From<Object<AuroraConnectionManager<C>>> for PooledConnection<C> {
    fn from(object: Object<AuroraConnectionManager<C>>) -> Self {
        Self(object)
    }
}

impl<C: Physical> Deref for PooledConnection<C> {
    type Target = AuroraConnection<C>;

    fn deref(&self) -> &AuroraConnection<C> {
        &self.0
    }
}

impl<C: Physical> DerefMut for PooledConnection<C> {
    fn deref_mut(&mut self) -> &mut AuroraConnection<C> {
        &mut self.0
    }
}

impl<C: Physical> Drop for PooledConnection<C> {
    /// Check-in; deadpool takes the session back after this.
    fn drop(&mut self) {
        self.0.check_in();
    }
}

impl<C: Physical> fmt::Debug for PooledConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledConnection").field(&**self).finish()
    }
}
