//! What to do about a statement that failed.
//!
//! A read outside a transaction is run again elsewhere, unseen. A write is run again only when it
//! certainly was not executed: it never left, or the instance refused it as read-only.

use std::time::Instant;

use super::{Session, commits, only_begins};
use crate::error::Outcome;
use crate::route::Need;
use crate::sql::Classification;
use crate::topology::{InstanceId, Role};

/// How often a statement is run whose connection broke under it. A statement that crashes its
/// server must not be carried from one to the next.
const LOSSES: u32 = 3;

/// How often replay may cancel a read before the writer serves it.
const CONFLICTS: u32 = 3;

/// What went wrong with a statement, as far as recovery cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A serialization failure; outside a transaction, on a reader, replay was in the way.
    Conflict,
    /// The connection broke while the statement was with the server.
    Lost,
    /// The statement never left.
    NotSent,
    /// The instance refuses writes.
    ReadOnly,
    /// The statement's own fault.
    Statement,
}

impl Trouble {
    /// What an error of a MySQL or MariaDB server means for the statement that met it: by its
    /// number, its SQLSTATE and, for 1290 alone, its words.
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn of_mysql(number: u16, state: &str, message: &str) -> Self {
        crate::dialect::mysql::classify_trouble(number, state, message)
    }

    /// Whether the server has rolled back all of the transaction in which a statement met this
    /// error, and not the statement alone: whoever goes on as if it were open would commit what is
    /// left of it, one statement at a time. `on_timeout` is the server's variable
    /// `innodb_rollback_on_timeout`.
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn ends_mysql_transaction(number: u16, state: &str, on_timeout: bool) -> bool {
        crate::dialect::mysql::ends_transaction(number, state, on_timeout)
    }
}

/// Where a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The instance.
    pub instance: InstanceId,
    /// The epoch its connection was opened in.
    pub epoch: u64,
    /// The role it has in that epoch.
    pub role: Role,
}

/// The failure of one attempt to run a statement.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// When it failed.
    pub at: Instant,
    /// The statement.
    pub classification: &'a Classification,
    /// Whether its deadline is still to come.
    pub has_time: bool,
    /// What it needed.
    pub need: Need,
    /// Where it ran.
    pub place: &'a Place,
    /// Whether the driver knows that no transaction is open.
    pub transaction_is_over: bool,
    /// What went wrong.
    pub trouble: Trouble,
}

/// What an adapter has to do about a statement that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run it again.
    Again(Need),
    /// Have the instance asked again about its role, wait for its answer, then run it again.
    AskThenAgain(Need),
    /// Have the instance asked again about its role, then give the error back as it is.
    AskThenFail,
    /// Remember that the statement writes, and run it on the writer.
    OnWriter,
    /// Give the error back as it is.
    Fail,
    /// Give back that the connection was lost, with this outcome.
    FailLost(Outcome),
}

/// The failures of one statement so far.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    losses: u32,
    conflicts: u32,
    refused_by: Option<(InstanceId, u64)>,
}

impl Recovery {
    /// Whether the statement has not failed yet.
    #[must_use]
    pub fn is_first_attempt(&self) -> bool {
        self.losses == 0 && self.conflicts == 0 && self.refused_by.is_none()
    }

    /// Whether an idle connection will do for the next attempt.
    ///
    /// For the last one it will not: what ended the connections of one instance after the other may
    /// have ended all that were idle (a firewall that forgets them, an operator who ends them), and
    /// that is no fault of the statement.
    #[must_use]
    pub fn takes_idle(&self) -> bool {
        self.losses + 1 < LOSSES
    }

    /// Decides about a failure, and lets the session follow it.
    pub fn next(&mut self, session: &mut Session, failure: &Failure<'_>) -> Step {
        let on_reader = failure.place.role == Role::Reader;
        session.trouble = Some((failure.trouble, failure.place.clone()));
        match failure.trouble {
            Trouble::Lost | Trouble::NotSent => self.lost(session, failure),
            Trouble::ReadOnly if session.is_free() => self.refused(failure),
            Trouble::ReadOnly => {
                session.refused(failure.classification, failure.transaction_is_over, failure.at);
                let by_choice = on_reader || session.is_read_only();
                if by_choice { Step::Fail } else { Step::AskThenFail }
            }
            Trouble::Conflict if session.is_free() && on_reader => {
                self.conflicts += 1;
                match (failure.has_time, self.conflicts < CONFLICTS) {
                    (false, _) => Step::Fail,
                    (true, true) => Step::Again(failure.need),
                    (true, false) => Step::Again(Need::Write),
                }
            }
            Trouble::Conflict | Trouble::Statement => {
                session.refused(failure.classification, failure.transaction_is_over, failure.at);
                Step::Fail
            }
        }
    }

    /// The connection is gone, and with it the transaction and the session's state.
    fn lost(&mut self, session: &mut Session, failure: &Failure<'_>) -> Step {
        let classification = failure.classification;
        let sent = failure.trouble == Trouble::Lost;
        let was_pinned = session.is_pinned();
        let in_doubt = if session.disconnected() {
            // Where a transaction is open, BEGIN is a warning in PostgreSQL, and a COMMIT in MySQL.
            sent && (commits(classification) || only_begins(classification))
        } else {
            // That it ran on a reader proves nothing: one that is promoted under a session takes its
            // writes before anybody has heard of it.
            let harmless = !sent || only_begins(classification) || classification.rerunnable();
            self.losses += 1;
            if harmless && !was_pinned && self.losses < LOSSES && failure.has_time {
                return Step::Again(failure.need);
            }
            !harmless
        };
        if in_doubt {
            // What may have been written counts as written.
            session.wrote(failure.at);
            return Step::FailLost(Outcome::Unknown);
        }
        Step::FailLost(Outcome::NotApplied)
    }

    /// The instance refused a write: nothing was executed.
    fn refused(&mut self, failure: &Failure<'_>) -> Step {
        let place = failure.place;
        if place.role == Role::Reader && failure.need != Need::Write {
            return Step::OnWriter;
        }
        let who = (place.instance.clone(), place.epoch);
        if !failure.has_time || self.refused_by.as_ref() == Some(&who) {
            // Asked again it still is the writer: somebody made the session read-only.
            return Step::Fail;
        }
        self.refused_by = Some(who);
        Step::AskThenAgain(failure.need)
    }
}
