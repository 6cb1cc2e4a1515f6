//! Running statements of one session, and what to do when that fails.
//!
//! The decisions are [`aurora_core::session`]'s, shared by all adapters; here they are carried out.

mod insert_id;
mod ours;
mod recover;

use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::{Recovery, Session};
use aurora_core::sql::{Classification, Verdict};
use aurora_core::{Deadline, Need, Role};

use crate::attempt::Attempt;
use crate::errors;
use crate::held::{Condition, Held};
use crate::pools::Pools;
use crate::session::Owner;
use crate::statement::{self, Answer, Ask, Statement};

const TRANSACTION_LOST: &str =
    "the transaction was lost with its connection: roll back, and run all of it again";
const TRANSACTION_ABORTED: &str = "the server has rolled the transaction back, because a statement in it failed: roll back, and run all of it again";
const SESSION_LOST: &str = "the session's settings, locks, temporary tables and the like were lost with its connection: set them again";

/// One session: its state, and its connection while something ties it there.
#[derive(Debug)]
pub(crate) struct Runner {
    pools: Arc<Pools>,
    session: Session,
    held: Option<Held>,
    /// Data was, or may have been, changed since somebody asked.
    wrote: bool,
    /// The server has aborted the open transaction: it can only be rolled back.
    aborted: bool,
    /// A statement is with the server that may write, or commit what was written.
    in_doubt: bool,
    /// The connection has been given a `LAST_INSERT_ID()` that is not ours.
    has_own_insert_id: bool,
    owner: Owner,
}

impl Runner {
    pub(crate) fn new(pools: Arc<Pools>, session: Session, owner: Owner) -> Self {
        Self {
            pools,
            session,
            held: None,
            wrote: false,
            aborted: false,
            in_doubt: false,
            has_own_insert_id: false,
            owner,
        }
    }

    /// Whether nothing ties the session to its connection.
    pub(crate) fn is_free(&self) -> bool {
        self.session.is_free() && !self.session.is_transaction_lost()
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.session.is_pinned()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.session.in_transaction()
    }

    /// Whether there is a transaction, if only one that its owner has to roll back.
    pub(crate) fn has_transaction(&self) -> bool {
        self.session.in_transaction() || self.session.is_transaction_lost()
    }

    /// Whether the server has aborted the open transaction.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Notes that work was undone up to a savepoint: the transaction goes on, if it is open.
    pub(crate) fn revived(&mut self) {
        self.aborted &= !self.session.in_transaction();
    }

    /// Whether data was, or may have been, changed since this was asked last.
    pub(crate) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Runs a statement where it belongs, and recovers where that is safe.
    pub(crate) async fn run(
        &mut self,
        statement: Statement<'_>,
        ask: Ask<'_>,
    ) -> Result<Answer, sqlx::Error> {
        self.run_until(statement, ask, None).await
    }

    /// Like [`Runner::run`], waiting for an instance no longer than until `limit`.
    pub(crate) async fn run_until(
        &mut self,
        statement: Statement<'_>,
        ask: Ask<'_>,
        limit: Option<Instant>,
    ) -> Result<Answer, sqlx::Error> {
        let mut classification = self.pools.cluster().classify(statement.sql);
        if self.session.gives_up_what_is_lost(&classification) {
            self.aborted &= self.session.is_transaction_lost();
            return Ok(Answer::Nothing);
        }
        let deadline = Deadline::of(self.pools.cluster()).no_later_than(limit);
        let mut need = self.session.need(&classification, Some(statement.sql), Instant::now);
        let mut recovery = Recovery::default();
        loop {
            self.acquire(need, deadline.taking_idle(recovery.takes_idle())).await?;
            match self.attempt(statement, ask, &classification).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let attempt = Attempt { ask, classification, deadline, need };
                    need = match self.recover(error, &attempt, &mut recovery, statement).await {
                        Ok(need) => need,
                        // The connection broke under the ROLLBACK, which comes to the same.
                        Err(_) if self.session.gives_up_what_is_lost(&classification) => {
                            return Ok(Answer::Nothing);
                        }
                        Err(error) => return Err(error),
                    };
                    classification = self.pools.cluster().classify(statement.sql);
                }
            }
        }
    }

    /// Sees to it that a connection is held that may run the statement.
    async fn acquire(&mut self, need: Need, deadline: Deadline) -> Result<(), sqlx::Error> {
        if self.session.is_transaction_lost() {
            let text = if self.aborted { TRANSACTION_ABORTED } else { TRANSACTION_LOST };
            return Err(errors::lost_before(text));
        }
        let Some(held) = &self.held else {
            if !self.session.is_free() {
                return Err(self.give_up_session());
            }
            let reader = self.session.reader();
            let held = self.pools.acquire(need, reader, deadline).await;
            let held = held.map_err(errors::from_core)?;
            if held.role() == Role::Reader {
                self.owner.settle(held.lease().instance());
                self.session.settle(held.lease().instance(), Role::Reader);
            }
            self.held = Some(held);
            self.has_own_insert_id = false;
            return Ok(());
        };
        let topology = self.pools.cluster().snapshot();
        let place = held.place();
        let is_current = topology
            .instance(&place.instance)
            .is_some_and(|instance| instance.epoch() == place.epoch);
        // The future of a statement was dropped in the middle of it.
        if held.condition() == Condition::Busy {
            return Err(self.give_up_session());
        }
        // A transaction finds out by itself what became of its connection.
        if !is_current && !self.session.in_transaction() {
            return Err(self.give_up_session());
        }
        Ok(())
    }

    /// The connection is gone, and nothing was sent.
    fn give_up_session(&mut self) -> sqlx::Error {
        self.settle_doubt();
        self.close();
        self.aborted = false;
        let in_transaction = self.session.disconnected();
        errors::lost_before(if in_transaction { TRANSACTION_LOST } else { SESSION_LOST })
    }

    async fn attempt(
        &mut self,
        statement: Statement<'_>,
        ask: Ask<'_>,
        classification: &Classification,
    ) -> Result<Answer, sqlx::Error> {
        self.recall_insert_id(statement, classification).await?;
        let Some(held) = &mut self.held else {
            return Err(errors::lost_before(SESSION_LOST));
        };
        let stats = Arc::clone(held.lease().stats());
        if classification.verdict() == Verdict::Write {
            stats.count_write();
        }
        let running = stats.start(Instant::now());
        // Whoever drops this future from here on leaves behind what may be done all the same.
        self.in_doubt = !matches!(classification.verdict(), Verdict::Read | Verdict::Lock)
            || !classification.rerunnable();
        let answer = statement::put(statement, ask, held).await;
        self.in_doubt = false;
        let answer = answer?;
        if held.condition() == Condition::Busy {
            held.set(Condition::Clean);
        }
        let now = Instant::now();
        running.succeeded(now);
        let role = held.role();
        self.note_insert_id(&answer);
        self.follow(classification, role, now);
        Ok(answer)
    }

    /// Follows a statement that succeeded.
    fn follow(&mut self, classification: &Classification, role: Role, now: Instant) {
        let may_have_written = match classification.verdict() {
            Verdict::Session | Verdict::Write => true,
            // It called functions nobody knows, where they can write.
            Verdict::Read => !classification.rerunnable() && role == Role::Writer,
            Verdict::Lock | Verdict::Transaction(_) => false,
        };
        if may_have_written {
            self.wrote = true;
        }
        self.session.succeeded(classification, role, now);
        if !self.session.in_transaction() {
            self.aborted = false;
        }
        self.release();
    }

    /// Gives the connection back if nothing ties the session to it.
    fn release(&mut self) {
        if self.session.is_free() {
            self.held = None;
        }
    }

    /// What may have been written counts as written.
    fn settle_doubt(&mut self) {
        if std::mem::take(&mut self.in_doubt) {
            self.owner.note(Instant::now());
        }
    }

    fn close(&mut self) {
        if let Some(mut held) = self.held.take() {
            held.set(Condition::Dirty);
        }
    }
}

impl Drop for Runner {
    /// What ties a session to its connection must not be inherited by another.
    fn drop(&mut self) {
        self.settle_doubt();
        if !self.session.is_free() {
            self.close();
        }
    }
}
