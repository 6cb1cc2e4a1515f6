//! Transactions: everything stays on the connection of its BEGIN.

mod inner;
mod run;
mod traits;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aurora_core::{Config, Error, ErrorKind};
use sea_orm::{DbErr, TransactionError, TransactionOptions};

use self::inner::Inner;
use crate::connection::AuroraConnection;
use crate::engine::{self, Row};
use crate::errors;
use crate::statement::{Answer, Ask, Statement};

/// An open transaction, or a savepoint in one.
///
/// Dropping it rolls it back. When its connection is lost every further statement fails, until it
/// is rolled back or dropped; a COMMIT that was under way then may have been applied, and
/// [`crate::outcome`] says so. Committing a transaction that the server has aborted is an error.
#[must_use = "dropping a transaction rolls it back"]
pub struct AuroraTransaction {
    inner: Arc<Inner>,
    /// The savepoint it began with; `None` for the transaction itself.
    savepoint: Option<u64>,
    is_open: bool,
}

impl AuroraTransaction {
    async fn open(
        connection: &AuroraConnection,
        options: TransactionOptions,
    ) -> Result<Self, DbErr> {
        let mut transaction = Self::prepare(connection).await.map_err(errors::query_err)?;
        let (level, access) = modes(&options);
        let begin = engine::begin_sql(connection.config().family(), level, access);
        transaction.inner.begin(&begin, None).await.map_err(errors::query_err)?;
        transaction.is_open = true;
        Ok(transaction)
    }

    /// One that has not begun.
    async fn prepare(connection: &AuroraConnection) -> Result<Self, sqlx::Error> {
        let slot = match connection.tied().await? {
            Some(slot) => slot,
            None => Arc::new(tokio::sync::Mutex::new(Some(connection.runner()))),
        };
        let inner = Inner::new(connection.clone(), slot);
        Ok(Self { inner: Arc::new(inner), savepoint: None, is_open: false })
    }

    async fn nest(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let id = self.inner.next_savepoint.fetch_add(1, Ordering::Relaxed);
        let savepoint = format!("SAVEPOINT aurora_{id}");
        self.run(savepoint.as_str().into(), Ask::Unprepared).await.map_err(errors::query_err)?;
        let nested = Self { inner: Arc::clone(&self.inner), savepoint: Some(id), is_open: true };
        let (level, access) = modes(&options);
        let level = level.map(|level| format!("ISOLATION LEVEL {level}"));
        let modes: Vec<String> = level.into_iter().chain(access).collect();
        if !modes.is_empty() {
            // MySQL refuses that in an open transaction.
            let set = format!("SET TRANSACTION {}", modes.join(", "));
            nested.run(set.as_str().into(), Ask::Unprepared).await.map_err(errors::exec_err)?;
        }
        Ok(nested)
    }

    async fn run(&self, statement: Statement<'_>, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        self.inner.run(statement, ask).await
    }

    fn config(&self) -> &Config {
        self.inner.connection.config()
    }

    pub(crate) async fn rows(
        &self,
        statement: &sea_orm::Statement,
    ) -> Result<Vec<Row>, sqlx::Error> {
        self.run(statement.into(), Ask::All).await.map(Answer::rows)
    }

    /// Makes the work permanent; of a nested transaction, part of the one around it.
    ///
    /// # Errors
    ///
    /// When the server refuses, had aborted the transaction before, or is lost:
    /// [`crate::outcome`] then says whether the work was made permanent.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the work was made permanent.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let result = self.commit_now().await;
        // What could not be ended is ended by dropping it.
        self.is_open = result.is_err() && self.savepoint.is_none();
        result.map_err(errors::query_err)
    }

    async fn commit_now(&self) -> Result<(), sqlx::Error> {
        if let Some(id) = self.savepoint {
            let release = format!("RELEASE SAVEPOINT aurora_{id}");
            self.run(release.as_str().into(), Ask::Unprepared).await?;
            self.inner.forget(id);
            return Ok(());
        }
        let is_aborted = {
            let mut guard = self.inner.connection.lock(&self.inner.slot).await?;
            let runner = guard.as_mut().filter(|runner| runner.has_transaction());
            let runner = runner.ok_or_else(ended)?;
            self.inner.settle(runner).await?;
            runner.is_aborted()
        };
        if is_aborted {
            // The server would answer such a COMMIT with a ROLLBACK, and no error.
            self.inner.end("ROLLBACK").await?;
            let text = "the server had aborted the transaction when a statement in it failed: \
                        it was rolled back";
            return Err(errors::from_core(Error::new(ErrorKind::Statement, text)));
        }
        self.inner.end("COMMIT").await
    }

    /// Undoes the work.
    ///
    /// # Errors
    ///
    /// When the server refuses. A transaction that was lost with its connection is rolled back
    /// already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future undoes the work, too.
    pub async fn rollback(mut self) -> Result<(), DbErr> {
        let result = self.rollback_now().await;
        self.is_open = result.is_err() && self.savepoint.is_none();
        result.map_err(errors::query_err)
    }

    async fn rollback_now(&self) -> Result<(), sqlx::Error> {
        let Some(id) = self.savepoint else { return self.inner.end("ROLLBACK").await };
        let mut guard = self.inner.connection.lock(&self.inner.slot).await?;
        match guard.as_mut() {
            Some(runner) if runner.in_transaction() => self.inner.roll_back_to(runner, id).await,
            // It went with all of the transaction.
            Some(_) | None => Ok(()),
        }
    }

    async fn around<F, T, E>(self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        let result = callback(&self).await;
        self.finish(result).await
    }

    /// Commits or rolls back, as the closure that ran in it wants it.
    pub(crate) async fn finish<T, E>(self, result: Result<T, E>) -> Result<T, TransactionError<E>>
    where
        E: fmt::Display + fmt::Debug,
    {
        match result {
            Ok(value) => {
                self.commit().await.map_err(TransactionError::Connection)?;
                Ok(value)
            }
            Err(error) => {
                self.rollback().await.map_err(TransactionError::Connection)?;
                Err(TransactionError::Transaction(error))
            }
        }
    }
}

/// The isolation level and the access mode, as SQL says them.
fn modes(options: &TransactionOptions) -> (Option<String>, Option<String>) {
    let level = options.isolation_level.as_ref().map(ToString::to_string);
    (level, options.access_mode.as_ref().map(ToString::to_string))
}

fn ended() -> sqlx::Error {
    errors::lost_before("the transaction has ended, by a statement in it")
}

impl Drop for AuroraTransaction {
    fn drop(&mut self) {
        if !self.is_open || self.inner.is_over.load(Ordering::Acquire) {
            return;
        }
        if let Some(id) = self.savepoint {
            self.inner.abandoned().push(id);
            return;
        }
        // Without a runtime the connection is closed when the last handle lets go of it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let inner = Arc::clone(&self.inner);
        let limit = inner.connection.cluster().config().connect_timeout();
        runtime.spawn(async move {
            // In vain: the connection is closed, which comes to the same.
            if tokio::time::timeout(limit, inner.end("ROLLBACK")).await.is_err() {
                *inner.slot.lock().await = None;
            }
        });
    }
}

impl fmt::Debug for AuroraTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraTransaction")
            .field("savepoint", &self.savepoint)
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}
