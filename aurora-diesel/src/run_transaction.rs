//! Replayable transactions: run again when they certainly were not applied, resolved when a COMMIT
//! was lost.

use std::thread;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::transaction::{
    Attempts, Doubt, Evidence, MarkerId, Next, Phase, Resolve, RunOptions,
};
use diesel::connection::{AnsiTransactionManager, TransactionManager as _};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::manager::Physical;
use crate::recover::Statement;
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
    /// A COMMIT whose answer was lost is resolved as [`Resolve`] says; see
    /// [`AuroraConnection::run_transaction_with`]. A panic of `work` rolls back.
    ///
    /// # Errors
    ///
    /// * Those of `work`, as they are, after a rollback: unless the transaction had met one of the
    ///   troubles above before `work` returned, it is not run again.
    /// * [`Error::AlreadyInTransaction`] inside a transaction, which could not be run again alone.
    /// * When time is up, or a COMMIT stays in doubt: an error that says how often it was run and
    ///   where; [`crate::outcome`] says what became of it.
    ///
    /// A deadlock is known by the server's words, which Diesel leaves without their code: with
    /// `lc_messages` of another language than English it is given back.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # diesel::table! { accounts { id -> Integer, balance -> BigInt, } }
    /// # fn transfer(connection: &mut aurora_diesel::AuroraConnection<PgConnection>) -> QueryResult<()> {
    /// connection.run_transaction(|connection| {
    ///     diesel::update(accounts::table.find(1))
    ///         .set(accounts::balance.eq(accounts::balance - 10))
    ///         .execute(connection)?;
    ///     diesel::update(accounts::table.find(2))
    ///         .set(accounts::balance.eq(accounts::balance + 10))
    ///         .execute(connection)?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn run_transaction<T, E>(
        &mut self,
        work: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        self.run_transaction_with(&RunOptions::new(), work)
    }

    /// Like [`AuroraConnection::run_transaction`], with an isolation level, an access mode, a
    /// deadline, or another way to resolve a COMMIT in doubt.
    ///
    /// # Errors
    ///
    /// See [`AuroraConnection::run_transaction`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use aurora_diesel::{MarkerTable, Resolve, RunOptions};
    /// # use diesel::prelude::*;
    ///
    /// # fn pay(connection: &mut aurora_diesel::AuroraConnection<PgConnection>) -> QueryResult<()> {
    /// let options = RunOptions::new().serializable().resolve(Resolve::Marker(MarkerTable::default()));
    /// connection.run_transaction_with(&options, |connection| {
    ///     diesel::sql_query("UPDATE carts SET paid = true WHERE id = 7").execute(connection)
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_transaction_with<T, E>(
        &mut self,
        options: &RunOptions,
        mut work: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        if self.session.in_transaction() || self.session.is_transaction_lost() {
            return Err(Error::AlreadyInTransaction.into());
        }
        let now = Instant::now();
        let attempts = Attempts::new(options, self.cluster().config(), now, replay::seed());
        let mut run = Run { attempts, scope: Scope { connection: self } };
        run.scope.connection.session.set_limit(Some(run.attempts.until()));
        loop {
            run.attempts.begin();
            let attempt = match run.scope.connection.attempt_once(options, &mut work) {
                Ok(value) => return Ok(value),
                Err(attempt) => attempt,
            };
            if let Some(value) = run.recover(attempt)? {
                return Ok(value);
            }
        }
    }

    /// Runs `work` in one transaction.
    fn attempt_once<T, E>(
        &mut self,
        options: &RunOptions,
        work: &mut impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, Attempt<T, E>> {
        let since = Instant::now();
        self.session.take_trouble();
        C::begin(self, options).map_err(|error| self.failed(Phase::Work, error))?;
        self.session.take_trouble();
        let value = match work(self) {
            Ok(value) => value,
            Err(error) => {
                let trouble = self.session.take_trouble();
                let failed = replay::blame(Phase::Work, trouble, Trouble::Statement);
                self.roll_back();
                return Err(Attempt { failed, error: Blame::Closure(error), doubt: None });
            }
        };
        let evidence = match self.take_evidence(options.resolving(), since) {
            Ok(evidence) => evidence,
            Err(error) => {
                let failed = self.failed(Phase::Work, error);
                self.roll_back();
                return Err(failed);
            }
        };
        let sent_at = Instant::now();
        let Err(error) = AnsiTransactionManager::commit_transaction(self) else {
            return Ok(value);
        };
        let mut attempt = self.failed(Phase::Commit, error);
        self.roll_back();
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
    fn roll_back(&mut self) {
        if self.session.in_transaction() || self.session.is_transaction_lost() {
            let rolled_back = AnsiTransactionManager::rollback_transaction(self);
            if rolled_back.is_err() || self.session.in_transaction() {
                self.abandon_transaction();
            }
        }
    }

    /// Ends the transaction with its connection.
    fn abandon_transaction(&mut self) {
        self.dirty = true;
        self.release();
        self.session.disconnected();
        let rollback = self.cluster().classify("ROLLBACK");
        let _ = self.session.gives_up_what_is_lost(&rollback);
        self.idle = AnsiTransactionManager::default();
    }

    /// Asks the transaction for something to find it by. It fails if the server has aborted the
    /// transaction, whose COMMIT would be answered with a ROLLBACK and no error.
    fn take_evidence(&mut self, resolve: &Resolve, since: Instant) -> QueryResult<Evidence> {
        match resolve {
            Resolve::Marker(table) => {
                let id = MarkerId::random().map_err(|error| errors::from_core(&error))?;
                let sql = self.cluster().mark_sql(table, id);
                let class = self.cluster().classify("INSERT INTO t VALUES (1)");
                self.run(&Statement::of_text(class, &sql), |connection| {
                    diesel::connection::SimpleConnection::batch_execute(connection, &sql)
                })?;
                self.cluster().note_marker(table);
                Ok(Evidence::Marker(table.clone(), id))
            }
            Resolve::SameServer => C::own_evidence(self, since),
            _ => self.no_evidence(),
        }
    }

    /// Asks for nothing, unless the server may have aborted the transaction.
    pub(crate) fn no_evidence(&mut self) -> QueryResult<Evidence> {
        if self.session.is_troubled() {
            self.ask_in_transaction(|connection| connection.batch_execute("SELECT 1"))?;
        }
        Ok(Evidence::None)
    }

    pub(crate) fn ask_in_transaction<R>(
        &mut self,
        ask: impl FnMut(&mut C) -> QueryResult<R>,
    ) -> QueryResult<R> {
        let class = self.cluster().classify("SELECT 1");
        self.run(&Statement::of_text(class, "SELECT 1"), ask)
    }
}

/// A replayable transaction under way.
struct Run<'a, C: Physical> {
    attempts: Attempts,
    scope: Scope<'a, C>,
}

impl<C: Physical> Run<'_, C> {
    /// Gets over an attempt that failed. `None` is "run it again".
    fn recover<T, E: From<Error>>(&mut self, attempt: Attempt<T, E>) -> Result<Option<T>, E> {
        let Attempt { failed, error, doubt } = attempt;
        let mut next = self.attempts.next(&failed, Instant::now());
        if let Next::Resolve(until) = next {
            let Some(in_doubt) = doubt else { return Err(error.into_error()) };
            let (doubt, value) = *in_doubt;
            let place = doubt.place.clone();
            match self.scope.connection.cluster().resolve_blocking(doubt, until) {
                Ok(true) => return Ok(Some(value)),
                Ok(false) => next = self.attempts.again(Instant::now()),
                Err(cause) => {
                    let error = self.attempts.in_doubt(&place, cause);
                    return Err(errors::from_core(&error).into());
                }
            }
        }
        match next {
            Next::Again(pause) => {
                thread::sleep(pause);
                Ok(None)
            }
            Next::OutOfTime => {
                let error = self.attempts.error(&failed);
                Err(errors::out_of_time(&error, failed.trouble).into())
            }
            _ => Err(error.into_error()),
        }
    }
}

/// Leaves the session usable, also after a panic.
struct Scope<'a, C: Physical> {
    connection: &'a mut AuroraConnection<C>,
}

impl<C: Physical> Drop for Scope<'_, C> {
    fn drop(&mut self) {
        self.connection.session.set_limit(None);
        if thread::panicking() && self.connection.session.in_transaction() {
            self.connection.abandon_transaction();
        }
    }
}
