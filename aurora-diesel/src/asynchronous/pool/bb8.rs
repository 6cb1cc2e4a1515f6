//! For [`bb8`](::bb8).
//!
//! ```no_run
//! use aurora_diesel::asynchronous::{AuroraConnectionManager, bb8::Pool};
//! use aurora_diesel::{Cluster, Config};
//! use diesel_async::RunQueryDsl;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::connect(Config::from_url("postgres://app@db1,db2/shop")?).await?;
//! let pool = Pool::builder().max_size(8).build(AuroraConnectionManager::new(cluster)).await?;
//! let mut connection = pool.get().await?;
//! diesel::sql_query("UPDATE carts SET open = false").execute(&mut connection).await?;
//! # Ok(())
//! # }
//! ```

use ::bb8::ManageConnection;

#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;

use crate::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical};

/// A pool of sessions.
pub type Pool<
    #[cfg(feature = "async-postgres")] C = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C,
> = ::bb8::Pool<AuroraConnectionManager<C>>;
/// A session out of the pool.
pub type PooledConnection<
    'a,
    #[cfg(feature = "async-postgres")] C = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C,
> = ::bb8::PooledConnection<'a, AuroraConnectionManager<C>>;

impl<C: Physical> ManageConnection for AuroraConnectionManager<C> {
    type Connection = AuroraConnection<C>;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    async fn connect(&self) -> Result<AuroraConnection<C>, aurora_core::Error> {
        Ok(self.session())
    }

    async fn is_valid(&self, _session: &mut AuroraConnection<C>) -> Result<(), aurora_core::Error> {
        Ok(())
    }

    /// Called at check-in.
    fn has_broken(&self, session: &mut AuroraConnection<C>) -> bool {
        if std::thread::panicking() {
            return true;
        }
        session.check_in();
        false
    }
}
