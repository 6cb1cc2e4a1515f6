//! What SeaORM expects of transactions, and of what begins them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::{
    AccessMode, DbBackend, DbErr, IsolationLevel, StreamTrait, TransactionError,
    TransactionOptions, TransactionSession, TransactionTrait,
};

use super::AuroraTransaction;
use crate::connection::AuroraConnection;
use crate::connection_trait::connection_trait;
use crate::engine;
use crate::statement::Ask;
use crate::stream::AuroraStream;

#[async_trait::async_trait]
impl TransactionSession for AuroraTransaction {
    async fn commit(self) -> Result<(), DbErr> {
        Self::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        Self::rollback(self).await
    }
}

connection_trait!(AuroraTransaction);

impl StreamTrait for AuroraTransaction {
    type Stream<'a> = AuroraStream;

    fn get_database_backend(&self) -> DbBackend {
        engine::backend(self.config())
    }

    fn stream_raw<'a>(
        &'a self,
        statement: sea_orm::Statement,
    ) -> Pin<Box<dyn Future<Output = Result<AuroraStream, DbErr>> + 'a + Send>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let family = self.config().family();
            Ok(AuroraStream::in_transaction(family, move |rows| async move {
                let result = inner.run((&statement).into(), Ask::Stream(&rows)).await;
                rows.end(result).await;
            }))
        })
    }
}

macro_rules! transactions {
    ($type:ty, $open:path) => {
        #[async_trait::async_trait]
        impl TransactionTrait for $type {
            type Transaction = AuroraTransaction;

            async fn begin(&self) -> Result<AuroraTransaction, DbErr> {
                $open(self, TransactionOptions::default()).await
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<AuroraTransaction, DbErr> {
                let options = TransactionOptions {
                    isolation_level,
                    access_mode,
                    ..TransactionOptions::default()
                };
                $open(self, options).await
            }

            async fn begin_with_options(
                &self,
                options: TransactionOptions,
            ) -> Result<AuroraTransaction, DbErr> {
                $open(self, options).await
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c AuroraTransaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                self.transaction_with_config(callback, None, None).await
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(
                        &'c AuroraTransaction,
                    )
                        -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
                    + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                let begun = self.begin_with_config(isolation_level, access_mode).await;
                begun.map_err(TransactionError::Connection)?.around(callback).await
            }
        }
    };
}

transactions!(AuroraConnection, AuroraTransaction::open);
transactions!(AuroraTransaction, AuroraTransaction::nest);
