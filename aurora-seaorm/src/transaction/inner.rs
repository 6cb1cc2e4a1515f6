//! What a transaction shares with those nested in it: the session it runs on, and what became of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aurora_core::session::{Place, Trouble};

use super::ended;
use crate::connection::AuroraConnection;
use crate::runner::Runner;
use crate::session::Slot;
use crate::statement::{Answer, Ask, Statement};

/// What a transaction shares with those nested in it.
pub(super) struct Inner {
    pub(super) connection: AuroraConnection,
    pub(super) slot: Slot,
    pub(super) next_savepoint: AtomicU64,
    /// Savepoints whose handles were dropped: the next statement rolls back to them first.
    abandoned: Mutex<Vec<u64>>,
    /// What ended it, if something did.
    pub(super) met: Mutex<Option<(Trouble, Place)>>,
    /// It has ended: the next one on the session is another's.
    pub(super) is_over: AtomicBool,
}

impl Inner {
    /// That of a transaction which has not begun.
    pub(super) fn new(connection: AuroraConnection, slot: Slot) -> Self {
        Self {
            connection,
            slot,
            next_savepoint: AtomicU64::new(1),
            abandoned: Mutex::default(),
            met: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Runs a statement in the transaction.
    pub(super) async fn run(
        &self,
        statement: Statement<'_>,
        ask: Ask<'_>,
    ) -> Result<Answer, sqlx::Error> {
        let mut guard = self.connection.lock(&self.slot).await?;
        let runner = guard.as_mut().filter(|runner| runner.has_transaction()).ok_or_else(ended)?;
        self.settle(runner).await?;
        runner.run(statement, ask).await
    }

    pub(super) async fn begin(
        &self,
        begin: &str,
        limit: Option<Instant>,
    ) -> Result<(), sqlx::Error> {
        let mut guard = self.connection.lock(&self.slot).await?;
        let runner = guard.get_or_insert_with(|| self.connection.runner());
        let begun = runner.run_until(begin.into(), Ask::Unprepared, limit).await;
        let met = runner.take_trouble();
        if begun.is_err() {
            self.note(met);
        }
        begun.map(drop)
    }

    pub(super) fn note(&self, met: Option<(Trouble, Place)>) {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = met;
    }

    /// Rolls back to the first savepoint that was given up by dropping its handle.
    pub(super) async fn settle(&self, runner: &mut Runner) -> Result<(), sqlx::Error> {
        let first = self.abandoned().iter().min().copied();
        let Some(first) = first else { return Ok(()) };
        self.roll_back_to(runner, first).await
    }

    pub(super) async fn roll_back_to(
        &self,
        runner: &mut Runner,
        id: u64,
    ) -> Result<(), sqlx::Error> {
        let sql = format!("ROLLBACK TO SAVEPOINT aurora_{id}");
        runner.run(sql.as_str().into(), Ask::Unprepared).await?;
        runner.revived();
        self.forget(id);
        let sql = format!("RELEASE SAVEPOINT aurora_{id}");
        runner.run(sql.as_str().into(), Ask::Unprepared).await.map(drop)
    }

    /// With a savepoint go all those after it.
    pub(super) fn forget(&self, id: u64) {
        self.abandoned().retain(|abandoned| *abandoned < id);
    }

    pub(super) fn abandoned(&self) -> MutexGuard<'_, Vec<u64>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the transaction, and lets the session follow.
    pub(super) async fn end(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut guard = self.connection.lock(&self.slot).await?;
        let runner = guard.as_mut().filter(|runner| runner.has_transaction()).ok_or_else(ended)?;
        let result = runner.run(sql.into(), Ask::Unprepared).await;
        self.note(runner.take_trouble());
        self.connection.follow(runner);
        if runner.has_transaction() && !runner.in_transaction() {
            // Its owner gives it up with this; nothing is sent.
            let _ = runner.run("ROLLBACK".into(), Ask::Unprepared).await;
        }
        self.is_over.store(!runner.has_transaction(), Ordering::Release);
        if runner.is_free() {
            *guard = None;
        }
        result.map(drop)
    }
}
