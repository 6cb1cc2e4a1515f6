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

use crate::asynchronous::{AuroraConnection, AuroraConnectionManager};

/// A pool of sessions.
pub type Pool = ::deadpool::managed::Pool<AuroraConnectionManager, PooledConnection>;

/// A session out of the pool; its connection goes back when it is dropped.
pub struct PooledConnection(Object<AuroraConnectionManager>);

impl Manager for AuroraConnectionManager {
    type Type = AuroraConnection;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    async fn create(&self) -> Result<AuroraConnection, aurora_core::Error> {
        Ok(self.session())
    }

    /// Whoever detached the wrapper is caught up with here.
    async fn recycle(
        &self,
        session: &mut AuroraConnection,
        _metrics: &Metrics,
    ) -> RecycleResult<aurora_core::Error> {
        session.check_in();
        Ok(())
    }
}

impl From<Object<AuroraConnectionManager>> for PooledConnection {
    fn from(object: Object<AuroraConnectionManager>) -> Self {
        Self(object)
    }
}

impl Deref for PooledConnection {
    type Target = AuroraConnection;

    fn deref(&self) -> &AuroraConnection {
        &self.0
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut AuroraConnection {
        &mut self.0
    }
}

impl Drop for PooledConnection {
    /// Check-in; deadpool takes the session back after this.
    fn drop(&mut self) {
        self.0.check_in();
    }
}

impl fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledConnection").field(&**self).finish()
    }
}
