//! Replayable transactions: run again when they certainly were not applied, resolved when a COMMIT
//! was lost.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::PoisonError;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::transaction::{
    Attempts, Doubt, Evidence, Failed, MarkerId, Next, Phase, Resolve, RunOptions,
};
use aurora_core::{Error, ErrorKind, Retry};
use sea_orm::{DbErr, QueryResult, TransactionError};

use super::AuroraTransaction;
use crate::connection::AuroraConnection;
use crate::errors;
use crate::runner::Runner;
use crate::statement::{Answer, Ask};

/// An attempt that failed: how, and what to give back if it is not run again.
struct Attempt<T, E> {
    failed: Failed,
    error: TransactionError<E>,
    /// A COMMIT in doubt, and what the closure returned before it.
    doubt: Option<(Doubt, T)>,
}

type Work<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

impl AuroraConnection {
    /// Runs `work` in a transaction, again and again until it is committed: whenever it certainly
    /// was not applied and the reason may pass (its connection was lost, the writer is another
    /// one, a serialization failure, a deadlock), until `failover_timeout` is over.
    ///
    /// `work` **may run several times**, each time in a new transaction. It must have no effects
    /// but those on the database that go with the transaction it is given, and nothing that an
    /// earlier run has read holds in the next.
    ///
    /// A COMMIT whose answer was lost is resolved as [`Resolve`] says; see
    /// [`AuroraConnection::run_transaction_with`].
    ///
    /// # Errors
    ///
    /// * [`TransactionError::Transaction`] with the error of `work`, as it is, after a rollback:
    ///   unless the transaction had met one of the troubles above before `work` returned, it is
    ///   not run again.
    /// * [`TransactionError::Connection`] when this is a session in a transaction begun as text;
    ///   when COMMIT was refused; when time is up, or a COMMIT stays in doubt. The last two say
    ///   how often it was run and where; [`crate::outcome`] says what became of it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or a panic of `work`, undoes the transaction, unless its COMMIT was
    /// under way.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use aurora_seaorm::AuroraConnection;
    /// # use sea_orm::{ConnectionTrait as _, DbErr, TransactionError};
    /// # async fn example(db: &AuroraConnection) -> Result<(), TransactionError<DbErr>> {
    /// db.run_transaction(|txn| {
    ///     Box::pin(async move {
    ///         txn.execute_unprepared("UPDATE accounts SET balance = balance - 10 WHERE id = 1").await?;
    ///         txn.execute_unprepared("UPDATE accounts SET balance = balance + 10 WHERE id = 2").await
    ///     })
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_transaction<F, T, E>(&self, work: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnMut(&'c AuroraTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.run_transaction_with(&RunOptions::new(), work).await
    }

    /// Like [`AuroraConnection::run_transaction`], with an isolation level, an access mode, a
    /// deadline, or another way to resolve a COMMIT in doubt.
    ///
    /// # Errors
    ///
    /// See [`AuroraConnection::run_transaction`].
    ///
    /// # Cancel safety
    ///
    /// See [`AuroraConnection::run_transaction`].
    pub async fn run_transaction_with<F, T, E>(
        &self,
        options: &RunOptions,
        mut work: F,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnMut(&'c AuroraTransaction) -> Work<'c, T, E> + Send,
        T: Send,
        E: fmt::Display + fmt::Debug + Send,
    {
        self.refuse_nested().await.map_err(TransactionError::Connection)?;
        // Not two transactions pause alike.
        let seed = RandomState::new().hash_one(0);
        let mut attempts = Attempts::new(options, self.cluster().config(), Instant::now(), seed);
        loop {
            attempts.begin();
            let until = attempts.until();
            let attempt = match self.attempt_once(options, until, &mut work).await {
                Ok(value) => return Ok(value),
                Err(attempt) => *attempt,
            };
            if let Some(value) = self.recover_transaction(&mut attempts, attempt).await? {
                return Ok(value);
            }
        }
    }

    async fn refuse_nested(&self) -> Result<(), DbErr> {
        let Some(slot) = self.tied().await.map_err(errors::query_err)? else { return Ok(()) };
        let guard = self.lock(&slot).await.map_err(errors::query_err)?;
        if guard.as_ref().is_some_and(Runner::has_transaction) {
            let text = "the session is in a transaction, in which none can be run again alone";
            return Err(errors::conn_err(Error::new(ErrorKind::Statement, text)));
        }
        Ok(())
    }

    /// Runs `work` in one transaction.
    async fn attempt_once<F, T, E>(
        &self,
        options: &RunOptions,
        until: Instant,
        work: &mut F,
    ) -> Result<T, Box<Attempt<T, E>>>
    where
        F: for<'c> FnMut(&'c AuroraTransaction) -> Work<'c, T, E> + Send,
    {
        let since = Instant::now();
        let mut transaction =
            AuroraTransaction::prepare(self).await.map_err(|error| blame_ours(None, error))?;
        let begin = options.begin_statements(self.config().family()).join("; ");
        let begun = transaction.inner.begin(&begin, Some(until)).await;
        begun.map_err(|error| blame_ours(Some((&transaction, Phase::Work)), error))?;
        transaction.is_open = true;
        let value = match work(&transaction).await {
            Ok(value) => value,
            Err(error) => {
                transaction.note_trouble().await;
                let failed = transaction.blame(Phase::Work, Trouble::Statement);
                transaction.give_up().await;
                let error = TransactionError::Transaction(error);
                return Err(Box::new(Attempt { failed, error, doubt: None }));
            }
        };
        let evidence =
            match transaction.take_evidence(self.cluster().resolving(options), since).await {
                Ok(evidence) => evidence,
                Err(error) => {
                    transaction.note_trouble().await;
                    let attempt = blame_ours(Some((&transaction, Phase::Work)), error);
                    transaction.give_up().await;
                    return Err(attempt);
                }
            };
        let sent_at = Instant::now();
        let Err(error) = transaction.commit_now().await else {
            transaction.is_open = false;
            return Ok(value);
        };
        let mut attempt = blame_ours(Some((&transaction, Phase::Commit)), error);
        transaction.give_up().await;
        if let Some(place) = attempt.failed.place.clone() {
            attempt.doubt = Some((Doubt { evidence, place, sent_at }, value));
        }
        Err(attempt)
    }

    /// Gets over an attempt that failed. `None` is "run it again".
    async fn recover_transaction<T, E>(
        &self,
        attempts: &mut Attempts,
        attempt: Attempt<T, E>,
    ) -> Result<Option<T>, TransactionError<E>> {
        let Attempt { failed, error, doubt } = attempt;
        let mut next = attempts.next(&failed, Instant::now());
        if let Next::Resolve(until) = next {
            let Some((doubt, value)) = doubt else { return Err(error) };
            let place = doubt.place.clone();
            match self.cluster().resolve(doubt, until).await {
                Ok(true) => return Ok(Some(value)),
                Ok(false) => next = attempts.again(Instant::now()),
                Err(cause) => return Err(ours(attempts.in_doubt(&place, cause))),
            }
        }
        match next {
            Next::Again(pause) => {
                self.cluster().pause(pause).await;
                Ok(None)
            }
            Next::OutOfTime => Err(ours(attempts.error(&failed))),
            _ => Err(error),
        }
    }
}

impl AuroraTransaction {
    /// Keeps what the transaction met before its connection is given back.
    async fn note_trouble(&self) {
        let Ok(mut guard) = self.inner.connection.lock(&self.inner.slot).await else { return };
        if let Some(runner) = guard.as_mut() {
            self.inner.note(runner.take_trouble());
        }
    }

    /// Rolls back what is left, here and now: in the background it could meet the next attempt on
    /// the same connection. What cannot be rolled back is closed.
    async fn give_up(&mut self) {
        let inner = &self.inner;
        self.is_open = false;
        let is_left = match inner.connection.lock(&inner.slot).await {
            Ok(guard) => guard.as_ref().is_some_and(Runner::has_transaction),
            Err(_) => true,
        };
        if is_left && inner.end("ROLLBACK").await.is_err() {
            match inner.connection.lock(&inner.slot).await {
                Ok(mut guard) => *guard = None,
                // Somebody holds on to it: it is rolled back when they let go.
                Err(_) => self.is_open = true,
            }
        }
    }

    fn blame(&self, phase: Phase, otherwise: Trouble) -> Failed {
        let met = self.inner.met.lock().unwrap_or_else(PoisonError::into_inner).take();
        match met {
            Some((trouble, place)) => Failed { phase, trouble, place: Some(place) },
            None => Failed { phase, trouble: otherwise, place: None },
        }
    }

    /// Asks the transaction for something to find it by. It fails if the server has aborted the
    /// transaction, whose COMMIT would be answered with a ROLLBACK and no error.
    async fn take_evidence(
        &self,
        resolve: &Resolve,
        since: Instant,
    ) -> Result<Evidence, sqlx::Error> {
        match resolve {
            Resolve::Marker(table) => {
                let id = MarkerId::random().map_err(errors::from_core)?;
                let insert = "INSERT INTO t VALUES (1)";
                let cluster = self.inner.connection.cluster();
                self.ask_as(insert, &cluster.mark_sql(table, id), Ask::Unprepared).await?;
                cluster.note_marker(table);
                Ok(Evidence::Marker(table.clone(), id))
            }
            Resolve::SameServer => {
                let sql = "SELECT pg_catalog.txid_current_if_assigned()";
                let row = self.ask_as("SELECT 1", sql, Ask::One).await?.row();
                let row = QueryResult::from(row.ok_or(sqlx::Error::RowNotFound)?);
                let id: Option<i64> =
                    row.try_get_by_index(0).map_err(|error| sqlx::Error::Decode(error.into()))?;
                Ok(id.map_or(Evidence::NothingWritten, |id| Evidence::Transaction { id, since }))
            }
            _ => Ok(Evidence::None),
        }
    }

    async fn ask_as(&self, class: &str, sql: &str, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        let mut guard = self.inner.connection.lock(&self.inner.slot).await?;
        let runner = guard.as_mut().filter(|runner| runner.has_transaction());
        let runner = runner.ok_or_else(super::ended)?;
        self.inner.settle(runner).await?;
        runner.run_as(class, sql, ask).await
    }
}

/// An attempt that failed by an error of ours.
fn blame_ours<T, E>(
    at: Option<(&AuroraTransaction, Phase)>,
    error: sqlx::Error,
) -> Box<Attempt<T, E>> {
    let error = errors::query_err(error);
    let otherwise = match errors::retry(&error) {
        Retry::AfterTopologyChange => Trouble::NotSent,
        Retry::IfIdempotent => Trouble::Lost,
        Retry::Never => Trouble::Statement,
    };
    let failed = match at {
        Some((transaction, phase)) => transaction.blame(phase, otherwise),
        None => Failed { phase: Phase::Work, trouble: otherwise, place: None },
    };
    Box::new(Attempt { failed, error: TransactionError::Connection(error), doubt: None })
}

fn ours<E>(error: Error) -> TransactionError<E> {
    TransactionError::Connection(errors::conn_err(error))
}
