//! What SeaORM's own connection has beside its traits, under the same names: code that is moved
//! from one to the other goes on compiling.

use sea_orm::{AccessMode, IsolationLevel, TransactionError};
use sea_orm::{
    ConnectionTrait as _, DatabaseExecutor, DbBackend, DbErr, Schema, SchemaBuilder,
    TransactionTrait as _,
};

use crate::connection::AuroraConnection;
use crate::engine;
use crate::transaction::AuroraTransaction;

impl AuroraConnection {
    /// Which kind of database this is: as the cluster's URL says.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        engine::backend(self.config())
    }

    /// A builder of the schema of entities.
    #[must_use]
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        Schema::new(self.get_database_backend()).builder()
    }

    /// Asks an instance for an answer: one that would serve a read of this session now, so the
    /// writer after [`AuroraConnection::on_writer`].
    ///
    /// # Errors
    ///
    /// When there is none, after `failover_timeout`.
    ///
    /// # Cancel safety
    ///
    /// Safe: it changes nothing.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.execute_unprepared("SELECT 1").await.map(drop)
    }
}

impl<'c> From<&'c AuroraConnection> for DatabaseExecutor<'c> {
    /// The connection that follows the writer: see [`AuroraConnection::writer_database`].
    fn from(connection: &'c AuroraConnection) -> Self {
        Self::Connection(connection.writer_database())
    }
}

macro_rules! closures {
    ($type:ty) => {
        impl $type {
            /// Runs an asynchronous closure in a transaction, which is committed if the closure
            /// succeeds.
            ///
            /// # Errors
            ///
            /// Those of the closure, and those of BEGIN, COMMIT and ROLLBACK; after them
            /// [`crate::outcome`] says whether the work was made permanent.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future rolls back, but leaves it open when COMMIT is under way.
            pub async fn transaction_async<F, T, E>(
                &self,
                callback: F,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c AuroraTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                self.transaction_with_config_async(callback, None, None).await
            }

            /// Like `transaction_async`, with an isolation level or an access mode.
            ///
            /// # Errors
            ///
            /// As `transaction_async`.
            ///
            /// # Cancel safety
            ///
            /// As `transaction_async`.
            pub async fn transaction_with_config_async<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c AuroraTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                let begun = self.begin_with_config(isolation_level, access_mode).await;
                let transaction = begun.map_err(TransactionError::Connection)?;
                let result = callback(&transaction).await;
                transaction.finish(result).await
            }
        }
    };
}

closures!(AuroraConnection);
closures!(AuroraTransaction);
