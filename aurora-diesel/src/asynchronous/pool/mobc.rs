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

use crate::asynchronous::{AuroraConnection, AuroraConnectionManager};

/// A pool of sessions.
pub type Pool = ::mobc::Pool<AuroraConnectionManager>;
/// A session out of the pool.
pub type PooledConnection = ::mobc::Connection<AuroraConnectionManager>;

#[async_trait]
impl Manager for AuroraConnectionManager {
    type Connection = AuroraConnection;
    /// Making a session cannot fail; the type says what an error would be.
    type Error = aurora_core::Error;

    async fn connect(&self) -> Result<AuroraConnection, aurora_core::Error> {
        Ok(self.session())
    }

    async fn check(
        &self,
        session: AuroraConnection,
    ) -> Result<AuroraConnection, aurora_core::Error> {
        Ok(session)
    }

    /// Called at check-in: true is "keep it".
    fn validate(&self, session: &mut AuroraConnection) -> bool {
        session.check_in();
        true
    }
}
