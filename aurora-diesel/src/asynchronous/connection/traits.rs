//! What diesel-async asks of a connection.

use std::future::ready;

use aurora_core::sql::{Classification, Target, TransactionControl, Verdict};
use diesel::connection::{CacheSize, Instrumentation};
use diesel::migration::CREATE_MIGRATIONS_TABLE;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, Error, QueryResult};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection,
    TransactionManager as _,
};
use futures_core::future::BoxFuture;

use super::AuroraConnection;
use crate::asynchronous::driver::Physical;
use crate::asynchronous::driver::sealed::Link as _;
use crate::asynchronous::lease::lost;
use crate::asynchronous::manager::AuroraConnectionManager;
use crate::asynchronous::rows::Rows;
use crate::asynchronous::scope::{AsyncFunc, TransactionScope};
use crate::asynchronous::statement::{Done, Statement, Work, ends_transaction};
use crate::instrument::Forward;

impl<C: Physical> SimpleAsyncConnection for AuroraConnection<C> {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.heal();
        self.finish_leftover().await;
        let classification = self.shared.cluster.classify(query);
        if let Some(done) = self.without_transaction(&classification) {
            return done;
        }
        if query == CREATE_MIGRATIONS_TABLE {
            // Which migrations were applied must not be asked of a reader that is behind.
            self.session.force(Some(Target::Writer));
        }
        if C::ABORTS_TRANSACTIONS
            && self.session.may_commit_nothing(&classification)
            && Box::pin(self.is_aborted(classification)).await
        {
            return Box::pin(self.roll_back_aborted()).await;
        }
        let rolls_back = matches!(
            classification.verdict(),
            Verdict::Transaction(
                TransactionControl::Rollback | TransactionControl::RollbackToSavepoint
            )
        );
        let in_transaction = self.session.in_transaction();
        let result = self.run(&mut Statement { classification, work: Work::Batch(query) }).await;
        match result {
            Ok(_) => Ok(()),
            // The connection broke under the ROLLBACK, which comes to the same.
            Err(_) if rolls_back && in_transaction && !self.session.in_transaction() => Ok(()),
            Err(error) => {
                if ends_transaction(&classification) {
                    // diesel-async does not roll back after a COMMIT that failed.
                    self.give_up_transaction();
                }
                Err(error)
            }
        }
    }
}

impl<C: Physical> AsyncConnectionCore for AuroraConnection<C> {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Rows<'conn, C>>>;
    type Stream<'conn, 'query> = Rows<'conn, C>;
    type Row<'conn, 'query> = C::OneRow;
    type Backend = C::Backend;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<C::Backend> + QueryId + 'query,
    {
        let (classification, query) = match self.collect(&source.as_query()) {
            Ok(collected) => collected,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let work = Work::Load(query, C::load_of::<T::Query>());
        let mut statement = Statement { classification, work };
        Box::pin(async move {
            match self.run(&mut statement).await? {
                Done::Rows(loaded) => Ok(Rows::new(loaded, self, classification)),
                Done::Batch | Done::Count(_) => Err(Error::NotFound),
            }
        })
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<C::Backend> + QueryId + 'query,
    {
        let (classification, query) = match self.collect(&source) {
            Ok(collected) => collected,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let work = Work::Count(query, C::count_of::<T>());
        let mut statement = Statement { classification, work };
        Box::pin(async move {
            match self.run(&mut statement).await? {
                Done::Count(count) => Ok(count),
                Done::Batch | Done::Rows(_) => Err(Error::NotFound),
            }
        })
    }
}

impl<C: Physical> AsyncConnection for AuroraConnection<C> {
    type TransactionManager = AnsiTransactionManager;

    /// Connects to the cluster that the URL describes, with monitoring of its own.
    ///
    /// For a pool use [`AuroraConnectionManager`]: its sessions share one cluster.
    async fn establish(database_url: &str) -> ConnectionResult<Self> {
        match AuroraConnectionManager::connect_url(database_url).await {
            Ok(manager) => Ok(manager.session()),
            Err(error) => Err(ConnectionError::BadConnection(error.to_string())),
        }
    }

    /// Runs `callback` in a transaction, or in a savepoint of the one that is open.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future undoes the transaction, unless its COMMIT was under way; dropping that
    /// of a savepoint loses the transaction around it, which fails until it is rolled back.
    async fn transaction<'a, 'conn, R, E, F>(&'conn mut self, callback: F) -> Result<R, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<R, E>
            + AsyncFunc<&'r mut Self, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        E: From<Error> + Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        self.heal();
        let depth = self.depth();
        let scope = TransactionScope::enter(&self.abandoned, depth);
        let result = AnsiTransactionManager::transaction(self, callback).await;
        scope.end();
        result
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.heal();
        &mut self.manager
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Forward::new(Some(Box::new(instrumentation)));
        self.instrumented = true;
        let forward = self.instrumentation.clone();
        if let Some(connection) = self.lease.as_mut().and_then(|lease| lease.connection()) {
            connection.set_instrumentation(forward);
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.cache_size = Some(size);
        if let Some(connection) = self.lease.as_mut().and_then(|lease| lease.connection()) {
            connection.set_prepared_statement_cache_size(size);
        }
    }
}

impl<C: Physical> AuroraConnection<C> {
    /// What to do about a text while the transaction is lost; `None` is "send it as ever".
    fn without_transaction(&mut self, classification: &Classification) -> Option<QueryResult<()>> {
        if !self.session.is_transaction_lost() {
            return None;
        }
        if let Verdict::Transaction(control) = classification.verdict() {
            let gives_up = matches!(
                control,
                TransactionControl::Rollback | TransactionControl::RollbackToSavepoint
            );
            if gives_up {
                let _ = self.session.gives_up_what_is_lost(classification);
                return Some(Ok(()));
            }
            if ends_transaction(classification) {
                // diesel-async does not roll back after a COMMIT that failed.
                self.give_up_transaction();
            }
        }
        Some(Err(lost("the transaction was lost with its connection: run all of it again")))
    }
}
