//! The same sessions for [`diesel_async`]: [`AuroraConnection`] is used like an
//! `AsyncPgConnection` or `AsyncMysqlConnection`, and [`AuroraConnectionManager`] is given to bb8, deadpool or mobc.
//!
//! Each statement is routed and recovered as by the synchronous [`crate::AuroraConnection`]. What
//! only asynchronous code has to fear:
//!
//! * A statement that waits for an answer fails the moment its instance is declared lost.
//! * Any future may be dropped at any point. A connection that was in the middle of something is
//!   closed, never used again; a transaction it was part of is lost, and says so.
//! * TLS follows `sslmode` and `sslrootcert` of the configuration; there is no connector to write.
//!
//! A session is generic over the driver, as the synchronous one is: PostgreSQL with the feature
//! `async-postgres`, where it need not be named, and with `async-mysql` MySQL and MariaDB
//! (`AuroraConnection<AsyncMysqlConnection>`, [made](AuroraConnectionManager) by
//! `AuroraConnectionManager::mysql`). The features of the pools need one of the two.
//!
//! # Examples
//!
//! ```no_run
//! use aurora_diesel::asynchronous::AuroraConnectionManager;
//! use aurora_diesel::{Cluster, Config};
//! use diesel::sql_types::BigInt;
//! use diesel_async::RunQueryDsl;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_url("postgres://app:secret@db1.example.com,db2.example.com/shop")?;
//! let manager = AuroraConnectionManager::new(Cluster::connect(config).await?);
//! let mut connection = manager.session();
//! // Runs on a reader:
//! let answer: i64 = diesel::select(diesel::dsl::sql::<BigInt>("6::bigint * 7"))
//!     .get_result(&mut connection)
//!     .await?;
//! // Runs on the writer:
//! diesel::sql_query("UPDATE carts SET open = false").execute(&mut connection).await?;
//! # Ok(())
//! # }
//! ```

mod ahead;
mod builder;
mod collect;
mod connection;
mod driver;
mod fresh;
mod insert_id;
mod interrupt;
mod kept;
mod lease;
mod manager;
#[cfg(feature = "async-mysql")]
mod mysql;
mod pool;
#[cfg(feature = "async-postgres")]
mod postgres;
mod recover;
mod replay;
mod rows;
mod scope;
mod statement;

pub use self::builder::TransactionBuilder;
pub use self::connection::AuroraConnection;
pub use self::driver::Physical;
pub use self::manager::AuroraConnectionManager;
#[cfg(feature = "bb8")]
pub use self::pool::bb8;
#[cfg(feature = "deadpool")]
pub use self::pool::deadpool;
#[cfg(feature = "mobc")]
pub use self::pool::mobc;
pub use self::rows::Rows;
pub use self::scope::{AsyncFunc, AsyncFuncMut};
