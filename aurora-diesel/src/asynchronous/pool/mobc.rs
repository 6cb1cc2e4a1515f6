//! For [`mobc`](::mobc).
//!
//! ```no_run
//! use aurora_diesel::asynchronous::{AuroraConnectionManager, mobc::Pool};
//! use aurora_diesel::{Cluster, Config};
//! use diesel_async::RunQueryDsl;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::connect(Config::from_url("postgres://app@db1,db2/shop")?).await?;
//! let pool = Pool::builder().max_open(8).build(AuroraConnectionManager::new(cluster));
//! let mut connection = pool.get().await?;
//! diesel::sql_query("UPDATE carts SET open = false").execute(&mut *connection).await?;
//! # Ok(())
//! # }
//! ```

use ::mobc::{Manager, async_trait};

#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;

use crate::asynchronous::{AuroraConnection, AuroraConnectionManager, Physical};

/// A pool of sessions.
pub type Pool<
    #[cfg(feature = "async-postgres")] C = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C,
> = ::mobc::Pool<AuroraConnectionManager<C>>;
/// A session out of the pool.
pub type PooledConnection<
    #[cfg(feature = "async-postgres")] C = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C,
> = ::mobc::Connection<AuroraConnectionManager<C>>;

#[async_trait]
impl<C: Physical> Manager for AuroraConnectionManager<C> {
    type Connection = AuroraConnection<C>;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    async fn connect(&self) -> Result<AuroraConnection<C>, aurora_core::Error> {
        Ok(self.session())
    }

    async fn check(
        &self,
        session: AuroraConnection<C>,
    ) -> Result<AuroraConnection<C>, aurora_core::Error> {
        Ok(session)
    }

    /// Called at check-in: true is "keep it".
    fn validate(&self, session: &mut AuroraConnection<C>) -> bool {
        session.check_in();
        true
    }
}
