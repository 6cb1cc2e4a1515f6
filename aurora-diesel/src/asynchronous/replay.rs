//! Replayable transactions: run again when they certainly were not applied, resolved when a COMMIT
//! was lost.

use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::transaction::{
    Attempts, Doubt, Evidence, MarkerId, Next, Phase, Resolve, RunOptions,
};
use diesel::result::{Error, QueryResult};
use diesel_async::{AnsiTransactionManager, TransactionManager as _};

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::scope::{AsyncFuncMut, TransactionScope};
use super::statement::{Statement, Work};
use crate::errors;
use crate::replay::{self, Attempt, Blame};

impl<C: Physical> AuroraConnection<C> {
    /// Runs `work` in a transaction, again and again until it is committed: whenever it certainly
    /// was not applied and the reason may pass (its connection was lost, the writer is another
    /// one, a serialization failure, a deadlock), until `failover_timeout` is over.
    ///
    /// `work` **may run several times**, each time in a new transaction. It must have no effects
    /// but those on the database that go with the transaction, and nothing that an earlier run
    /// has read holds in the next.
    ///
    /// It cannot change what it has captured (see [`AsyncFuncMut`]).
    ///
    /// A COMMIT whose answer was lost is resolved as [`Resolve`] says; see
    /// [`AuroraConnection::run_transaction_with`].
    ///
    /// # Errors
    ///
    /// * Those of `work`, as they are, after a rollback: unless the transaction had met one of the
    ///   troubles above before `work` returned, it is not run again.
    /// * [`Error::AlreadyInTransaction`] inside a transaction, which could not be run again alone.
    /// * When time is up, or a COMMIT stays in doubt: an error that says how often it was run and
    ///   where; [`crate::outcome`] says what became of it.
    ///
    /// A deadlock is known by the server's words, which diesel-async leaves without their code:
    /// with `lc_messages` of another language than English it is given back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or a panic of `work`, undoes the transaction, unless its COMMIT was
    /// under way.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # use diesel_async::RunQueryDsl;
    /// # diesel::table! { accounts { id -> Integer, balance -> BigInt, } }
    /// # async fn transfer(connection: &mut aurora_diesel::asynchronous::AuroraConnection) -> QueryResult<()> {
    /// connection
    ///     .run_transaction(async |connection| {
    ///         let account = diesel::update(accounts::table.find(1));
    ///         account.set(accounts::balance.eq(accounts::balance - 10)).execute(connection).await?;
    ///         let account = diesel::update(accounts::table.find(2));
    ///         account.set(accounts::balance.eq(accounts::balance + 10)).execute(connection).await?;
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub async fn run_transaction<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnMut(&'r mut Self) -> Result<T, E>
            + AsyncFuncMut<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
        E: From<Error>,
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
    pub async fn run_transaction_with<T, E, F>(
        &mut self,
        options: &RunOptions,
        mut work: F,
    ) -> Result<T, E>
    where
        for<'r> F: AsyncFnMut(&'r mut Self) -> Result<T, E>
            + AsyncFuncMut<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
        E: From<Error>,
    {
        self.heal();
        let is_open = self.session.in_transaction() || self.session.is_transaction_lost();
        if is_open || self.depth() > 0 {
            return Err(Error::AlreadyInTransaction.into());
        }
        let now = Instant::now();
        let mut attempts = Attempts::new(options, self.cluster().config(), now, replay::seed());
        let scope = Limited { connection: self };
        let connection = &mut *scope.connection;
        connection.session.set_limit(Some(attempts.until()));
        loop {
            attempts.begin();
            let scope = TransactionScope::enter(&connection.abandoned, 0);
            let result = connection.attempt_once(options, &mut work).await;
            scope.end();
            let attempt = match result {
                Ok(value) => return Ok(value),
                Err(attempt) => attempt,
            };
            if let Some(value) = connection.recover_transaction(&mut attempts, attempt).await? {
                return Ok(value);
            }
        }
    }

    /// Runs `work` in one transaction.
    async fn attempt_once<T, E, F>(
        &mut self,
        options: &RunOptions,
        work: &mut F,
    ) -> Result<T, Attempt<T, E>>
    where
        for<'r> F: AsyncFnMut(&'r mut Self) -> Result<T, E>
            + AsyncFuncMut<&'r mut Self, Result<T, E>, Fut: Send>
            + Send,
    {
        let since = Instant::now();
        self.session.take_trouble();
        let begin = C::begin_sql(options);
        let begun = AnsiTransactionManager::begin_transaction_sql(self, &begin).await;
        begun.map_err(|error| self.failed(Phase::Work, error))?;
        self.session.take_trouble();
        let value = match work(self).await {
            Ok(value) => value,
            Err(error) => {
                self.heal();
                let trouble = self.session.take_trouble();
                let failed = replay::blame(Phase::Work, trouble, Trouble::Statement);
                self.roll_back().await;
                return Err(Attempt { failed, error: Blame::Closure(error), doubt: None });
            }
        };
        let evidence = match self.take_evidence(options, since).await {
            Ok(evidence) => evidence,
            Err(error) => {
                let failed = self.failed(Phase::Work, error);
                self.roll_back().await;
                return Err(failed);
            }
        };
        let sent_at = Instant::now();
        let Err(error) = AnsiTransactionManager::commit_transaction(self).await else {
            return Ok(value);
        };
        let mut attempt = self.failed(Phase::Commit, error);
        self.roll_back().await;
        if let Some(place) = attempt.failed.place.clone() {
            attempt.doubt = Some(Box::new((Doubt { evidence, place, sent_at }, value)));
        }
        Err(attempt)
    }

    fn failed<T, E>(&mut self, phase: Phase, error: Error) -> Attempt<T, E> {
        let failed = replay::blame(phase, self.session.take_trouble(), replay::trouble_of(&error));
        Attempt { failed, error: Blame::Ours(error), doubt: None }
    }

    /// Whatever has failed matters more than that it could not be rolled back: then the session
    /// gives up its connection, which comes to the same.
    async fn roll_back(&mut self) {
        if self.depth() > 0 {
            let _ = AnsiTransactionManager::rollback_transaction(self).await;
        }
        if self.session.in_transaction() || self.depth() > 0 {
            self.close_lease();
            self.session.disconnected();
        }
        self.give_up_transaction();
        self.manager = AnsiTransactionManager::default();
    }

    /// Asks the transaction for something to find it by. It fails if the server has aborted the
    /// transaction, whose COMMIT would be answered with a ROLLBACK and no error.
    async fn take_evidence(
        &mut self,
        options: &RunOptions,
        since: Instant,
    ) -> QueryResult<Evidence> {
        let cluster = self.shared.cluster.clone();
        match cluster.resolving(options) {
            Resolve::Marker(table) => {
                let id = MarkerId::random().map_err(|error| errors::from_core(&error))?;
                let sql = cluster.mark_sql(table, id);
                let classification = cluster.classify("INSERT INTO t VALUES (1)");
                self.run(&mut Statement { classification, work: Work::Batch(&sql) }).await?;
                cluster.note_marker(table);
                Ok(Evidence::Marker(table.clone(), id))
            }
            Resolve::SameServer => {
                let id = C::transaction_id(self).await?;
                Ok(id.map_or(Evidence::NothingWritten, |id| Evidence::Transaction { id, since }))
            }
            _ => {
                if self.session.is_troubled() {
                    let classification = cluster.classify("SELECT 1");
                    self.run(&mut Statement { classification, work: Work::Batch("SELECT 1") })
                        .await?;
                }
                Ok(Evidence::None)
            }
        }
    }

    /// Gets over an attempt that failed. `None` is "run it again".
    async fn recover_transaction<T, E: From<Error>>(
        &mut self,
        attempts: &mut Attempts,
        attempt: Attempt<T, E>,
    ) -> Result<Option<T>, E> {
        let Attempt { failed, error, doubt } = attempt;
        let mut next = attempts.next(&failed, Instant::now());
        if let Next::Resolve(until) = next {
            let Some(in_doubt) = doubt else { return Err(error.into_error()) };
            let (doubt, value) = *in_doubt;
            let place = doubt.place.clone();
            match self.shared.cluster.resolve(doubt, until).await {
                Ok(true) => return Ok(Some(value)),
                Ok(false) => next = attempts.again(Instant::now()),
                Err(cause) => {
                    let error = attempts.in_doubt(&place, cause);
                    return Err(errors::from_core(&error).into());
                }
            }
        }
        match next {
            Next::Again(pause) => {
                self.shared.cluster.pause(pause).await;
                Ok(None)
            }
            Next::OutOfTime => {
                let error = attempts.error(&failed);
                Err(errors::out_of_time(&error, failed.trouble).into())
            }
            _ => Err(error.into_error()),
        }
    }
}

/// Lifts the session's limit, also when the future is dropped.
struct Limited<'a, C: Physical> {
    connection: &'a mut AuroraConnection<C>,
}

impl<C: Physical> Drop for Limited<'_, C> {
    fn drop(&mut self) {
        self.connection.session.set_limit(None);
    }
}
