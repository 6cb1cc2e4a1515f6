//! What every adapter keeps of one session, and decides the same way. Pure: no clock, no I/O.
//!
//! A session is a checked-out connection of a pool, or a handle: it reads what it wrote, stays
//! on its connection while a transaction or state of the user's ties it there, and recovers from
//! failures where that is safe ([`Recovery`]).

mod freshness;
mod recovery;
mod transaction;

use std::time::Instant;

pub use self::recovery::{Failure, Place, Recovery, Step, Trouble};
use self::transaction::{begins_on_reader, commits, only_begins};
use crate::config::Freshness;
use crate::route::Need;
use crate::sql::{Classification, Target, TransactionControl, TransactionEffect, Verdict};
use crate::topology::{InstanceId, Role};

/// The state of one session.
#[derive(Clone, Debug)]
pub struct Session {
    default_freshness: Freshness,
    freshness: Freshness,
    forced: Option<Target>,
    last_write: Option<Instant>,
    /// Whatever the level: reads show what was acknowledged before.
    required: Option<Instant>,
    /// The reader it reads from, for as long as that one is fresh enough.
    reader: Option<InstanceId>,
    transaction: Option<Transaction>,
    /// The transaction ended with its connection, and its owner has not rolled back yet.
    transaction_lost: bool,
    pinned: bool,
    /// What the last statement met with that failed, unless work went on after it.
    trouble: Option<(Trouble, Place)>,
    /// No statement waits longer than this.
    limit: Option<Instant>,
}

/// An open transaction: everything runs on its connection until it ends.
#[derive(Clone, Copy, Debug)]
struct Transaction {
    /// It was begun `READ ONLY`: that a write is refused is the user's own doing.
    read_only: bool,
    /// It has changed data, as far as can be told.
    wrote: bool,
}

impl Session {
    /// A new session with that freshness by default.
    #[must_use]
    pub fn new(freshness: Freshness) -> Self {
        Self {
            default_freshness: freshness,
            freshness,
            forced: None,
            last_write: None,
            required: None,
            reader: None,
            transaction: None,
            transaction_lost: false,
            pinned: false,
            trouble: None,
            limit: None,
        }
    }

    /// Lets no statement wait past `limit`, until told otherwise.
    pub fn set_limit(&mut self, limit: Option<Instant>) {
        self.limit = limit;
    }

    /// Until when a statement may wait at most.
    #[must_use]
    pub fn limit(&self) -> Option<Instant> {
        self.limit
    }

    /// What the last statement met with that failed, and where, if nothing but the end of a
    /// savepoint or of the transaction succeeded since; forgets it.
    pub fn take_trouble(&mut self) -> Option<(Trouble, Place)> {
        self.trouble.take()
    }

    /// Whether a statement has failed since [`Session::take_trouble`], and no work went on after it.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Whether the statement would commit a transaction in which another one has failed. The server
    /// may have aborted it; then it answers a COMMIT with a ROLLBACK and no error (PostgreSQL
    /// documentation, COMMIT), which would pass for success: look before.
    #[must_use]
    pub fn may_commit_nothing(&self, classification: &Classification) -> bool {
        let commits = matches!(
            classification.verdict(),
            Verdict::Transaction(
                TransactionControl::Commit
                    | TransactionControl::CommitAndChain
                    | TransactionControl::Prepare
            )
        );
        commits && self.in_transaction() && self.is_troubled()
    }

    /// Sends every statement to the writer, or every read to readers, until told otherwise;
    /// returns what was in force before.
    pub fn force(&mut self, target: Option<Target>) -> Option<Target> {
        std::mem::replace(&mut self.forced, target)
    }

    /// Whether it may leave its connection: no transaction and no state of the user's ties it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.transaction.is_none() && !self.pinned
    }

    /// Whether state of the user's ties it to its connection.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// What a statement needs; `sql` is its text where that is at hand.
    ///
    /// `clock` is asked only where a moment is compared.
    #[must_use]
    pub fn need(
        &self,
        classification: &Classification,
        sql: Option<&str>,
        clock: impl FnOnce() -> Instant,
    ) -> Need {
        if sql.is_some_and(|sql| begins_on_reader(classification, sql))
            && self.forced != Some(Target::Writer)
        {
            return self.read_need(classification, clock);
        }
        match (self.forced, classification.route()) {
            (Some(Target::Writer), _) | (_, Target::Writer) => Need::Write,
            (Some(Target::Reader) | None, Target::Reader) => self.read_need(classification, clock),
        }
    }

    /// Follows a statement that succeeded at `now` on an instance of that role.
    pub fn succeeded(&mut self, classification: &Classification, role: Role, now: Instant) {
        let may_have_written = match classification.verdict() {
            Verdict::Write | Verdict::Session => true,
            // It called functions nobody knows, where they can write.
            Verdict::Read => !classification.rerunnable() && role == Role::Writer,
            Verdict::Lock | Verdict::Transaction(_) => false,
        };
        if may_have_written {
            self.wrote(now);
        }
        if !matches!(classification.verdict(), Verdict::Transaction(_)) {
            self.trouble = None;
        }
        if classification.leaves_session_state() {
            self.pinned = true;
        }
        match classification.transaction_effect() {
            TransactionEffect::None => {}
            TransactionEffect::Opens { read_only } => {
                // In PostgreSQL one that is open goes on, in MySQL it was committed.
                let had_written = self.transaction.is_some_and(|open| open.wrote);
                let wrote = had_written || classification.verdict() == Verdict::Write;
                let read_only = read_only == Some(true);
                self.transaction = Some(Transaction { read_only, wrote });
            }
            TransactionEffect::Closes => self.end_transaction(now),
            TransactionEffect::Unclear => self.distrust(now),
        }
    }

    /// Follows a statement that the server refused at `now`; `is_over` is whether the driver
    /// knows that no transaction is open.
    pub fn refused(&mut self, classification: &Classification, is_over: bool, now: Instant) {
        let sure = matches!(classification.verdict(), Verdict::Transaction(_));
        match classification.transaction_effect() {
            // COMMIT ends the transaction even when it fails.
            TransactionEffect::Closes if sure => {
                if is_over {
                    self.end_transaction(now);
                }
            }
            TransactionEffect::None => {}
            TransactionEffect::Opens { .. } if sure => {}
            TransactionEffect::Closes
            | TransactionEffect::Opens { .. }
            | TransactionEffect::Unclear => self.distrust(now),
        }
    }

    /// Notes that data was, or may have been, changed.
    pub fn wrote(&mut self, now: Instant) {
        match &mut self.transaction {
            Some(transaction) => transaction.wrote = true,
            None => self.last_write = Some(now),
        }
    }

    /// Ties the session to its connection: what is done with it is not seen.
    pub fn pin(&mut self) {
        self.pinned = true;
    }

    /// Notes that the connection is gone, with the transaction and all state of the session;
    /// returns whether there was a transaction.
    pub fn disconnected(&mut self) -> bool {
        self.pinned = false;
        // Not `self.transaction_lost |= …`: optimised, rustc 1.95.0 makes that true after a
        // transaction that had ended (see the test that a read after one is run again).
        if self.transaction.take().is_none() {
            return false;
        }
        self.transaction_lost = true;
        true
    }

    /// Notes that the server has rolled back all of the open transaction by itself, as MySQL does to
    /// end a deadlock; its connection goes on. Until the owner has rolled back, too, every statement
    /// fails, or the server would commit it by itself.
    pub fn rolled_back(&mut self) {
        if self.transaction.take().is_some() {
            self.transaction_lost = true;
        }
    }

    /// Whether its transaction ended with its connection, and its owner has not rolled back yet:
    /// until then every statement fails, or it would run outside of the transaction it is meant
    /// to be part of.
    #[must_use]
    pub fn is_transaction_lost(&self) -> bool {
        self.transaction_lost
    }

    /// Whether the statement does nothing but give up work of a transaction that is lost anyway:
    /// then there is nothing to send. Giving up all of it frees the session.
    pub fn gives_up_what_is_lost(&mut self, classification: &Classification) -> bool {
        if !self.transaction_lost {
            return false;
        }
        let Verdict::Transaction(control) = classification.verdict() else { return false };
        if control == TransactionControl::Rollback {
            self.transaction_lost = false;
            return true;
        }
        // After a savepoint's end the transaction is still lost, and its COMMIT will fail.
        matches!(
            control,
            TransactionControl::ReleaseSavepoint | TransactionControl::RollbackToSavepoint
        )
    }

    /// As new, for the next one who uses it.
    pub fn reset(&mut self) {
        *self = Self::new(self.default_freshness);
    }

    fn is_read_only(&self) -> bool {
        self.transaction.is_some_and(|transaction| transaction.read_only)
    }

    /// Nobody can tell what the connection is in the middle of: stay on it.
    fn distrust(&mut self, now: Instant) {
        self.pinned = true;
        self.last_write = Some(now);
        self.transaction.get_or_insert(Transaction { read_only: false, wrote: true });
    }

    fn end_transaction(&mut self, now: Instant) {
        if self.transaction.take().is_some_and(|transaction| transaction.wrote) {
            self.last_write = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
