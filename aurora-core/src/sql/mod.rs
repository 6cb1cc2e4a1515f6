//! Read or write? A scanner of SQL text that says where a statement may run.
//!
//! SQL text goes in, a [`Classification`] comes out: what the statement is ([`Verdict`]) with the
//! reason in words, where it should run ([`Classification::route`]), whether it may be run again
//! after a lost connection, what it leaves behind in the session, and what it does to the
//! transaction. The scanner never fails and never guesses towards read: what is not certainly a
//! read goes to the writer.
//!
//! What no text can tell: whether a function, view, operator or cast of the user writes (`t.f` may
//! be the call `f(t)`, too). Functions which are not the server's own are taken as reads (a reader that refuses one is remembered with
//! [`StatementCache::remember_write`]) unless [`Rules`] say otherwise.
//!
//! ```
//! use aurora_core::sql::{Rules, Target, Verdict, classify_postgres};
//!
//! let rules = Rules::default();
//! let read = classify_postgres("SELECT * FROM users WHERE id = $1", &rules);
//! assert_eq!((read.verdict(), read.route()), (Verdict::Read, Target::Reader));
//!
//! let write = classify_postgres("WITH d AS (DELETE FROM a RETURNING *) SELECT * FROM d", &rules);
//! assert_eq!((write.verdict(), write.route()), (Verdict::Write, Target::Writer));
//!
//! let lock = classify_postgres("SELECT * FROM users FOR UPDATE", &rules);
//! assert_eq!((lock.verdict(), lock.route()), (Verdict::Lock, Target::Writer));
//! ```

mod body;
mod cache;
mod cursor;
mod functions;
mod lexer;
mod part;
mod postgres;
mod rules;
mod statement;
mod transaction;
mod utility;

#[cfg(test)]
mod tests;

pub use cache::StatementCache;
pub use postgres::classify_postgres;
pub use rules::Rules;

/// What a SQL text is, judged by its most demanding part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Takes locks that only mean something on the writer: `SELECT … FOR UPDATE`, `LOCK TABLE`,
    /// transaction-level advisory locks.
    Lock,
    /// Certainly reads only, apart from functions of the user which no text can judge.
    Read,
    /// Reads or changes the state of its session: `SET`, `LISTEN`, cursors, `currval`.
    Session,
    /// Begins, ends or divides a transaction.
    Transaction(TransactionControl),
    /// Writes, may write, or can only run on the writer; also every text of several statements.
    Write,
}

/// Which kind of transaction control a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionControl {
    /// `BEGIN`, `START TRANSACTION`.
    Begin {
        /// `Some(true)` for `READ ONLY`, `Some(false)` for `READ WRITE`, `None` if it does not say.
        read_only: Option<bool>,
    },
    /// `COMMIT`, `END`.
    Commit,
    /// `COMMIT AND CHAIN`: a new transaction with the same characteristics is open afterwards.
    CommitAndChain,
    /// `COMMIT PREPARED`, which ends somebody's prepared transaction, not one of this session.
    CommitPrepared,
    /// `PREPARE TRANSACTION`, which takes the open transaction away from the session.
    Prepare,
    /// `RELEASE [SAVEPOINT]`.
    ReleaseSavepoint,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `ROLLBACK AND CHAIN`: a new transaction with the same characteristics is open afterwards.
    RollbackAndChain,
    /// `ROLLBACK PREPARED`, which ends somebody's prepared transaction, not one of this session.
    RollbackPrepared,
    /// `ROLLBACK TO [SAVEPOINT]`: the transaction stays open.
    RollbackToSavepoint,
    /// `SAVEPOINT`.
    Savepoint,
    /// `SET TRANSACTION`: acts on the open transaction only.
    SetTransaction {
        /// `Some(true)` for `READ ONLY`, `Some(false)` for `READ WRITE`, `None` if it does not say.
        read_only: Option<bool>,
    },
}

/// What the whole text, if it succeeds, does to the transaction of its connection.
///
/// If the text fails half way the server may be left in an open, failed transaction whatever this
/// says (`BEGIN; INSERT …; COMMIT` whose `INSERT` fails); a text of several statements that failed
/// must be treated as [`TransactionEffect::Unclear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionEffect {
    /// No transaction is open afterwards.
    Closes,
    /// Nothing: open stays open and closed stays closed. `BEGIN; …; COMMIT` in one text counts as
    /// this, seen from a connection that was not in a transaction before.
    None,
    /// A transaction is open afterwards.
    Opens {
        /// `Some(true)` for `READ ONLY`, `Some(false)` for `READ WRITE`, `None` if it does not say.
        read_only: Option<bool>,
    },
    /// The text does not tell: it is not well formed, or begins with a command we do not know.
    Unclear,
}

/// Where a statement should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Any instance that takes reads.
    Reader,
    /// The one instance that takes writes.
    Writer,
}

/// What the scanner found out about a SQL text. Small and `Copy`: made to be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    verdict: Verdict,
    reason: &'static str,
    hint: Option<Target>,
    effect: TransactionEffect,
    certain: bool,
    rerunnable: bool,
    leaves_session_state: bool,
}

impl Classification {
    /// What the text is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why the verdict is what it is, in words for a log line. Never contains text of the statement.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether running the text twice certainly does no more than running it once, so that it may
    /// be run again after a connection was lost. `false` for everything but reads, and for reads
    /// that call a function which neither the server's list nor [`Rules::read_functions`] knows.
    #[must_use]
    pub fn rerunnable(&self) -> bool {
        self.rerunnable
    }

    /// The target asked for by a `/*@reader*/` or `/*@writer*/` comment (any case, spaces allowed
    /// around the word, anywhere in the text). If both are present the writer wins.
    #[must_use]
    pub fn hint(&self) -> Option<Target> {
        self.hint
    }

    /// Where to run the text: the hint if there is one, else a reader for [`Verdict::Read`] and the
    /// writer for everything else.
    ///
    /// A reader hint is not followed when a reader could not be right: data changes, data
    /// definition, locking reads, advisory locks, transaction control, and whatever the server
    /// refuses during recovery stay on the writer. It is followed for what is only *possibly* a
    /// write, such as [`Rules::unknown_functions_write`], `CALL`, or session state.
    #[must_use]
    pub fn route(&self) -> Target {
        match (self.hint, self.verdict) {
            (Some(Target::Writer), _) => Target::Writer,
            (_, Verdict::Read) => Target::Reader,
            (Some(Target::Reader), _) if !self.certain => Target::Reader,
            (_, _) => Target::Writer,
        }
    }

    /// Whether the session is not as it was once the transaction is over (settings, `LISTEN`,
    /// prepared statements, held cursors, temporary tables, session-level advisory locks, …), so
    /// that the physical connection must not be given to somebody else.
    #[must_use]
    pub fn leaves_session_state(&self) -> bool {
        self.leaves_session_state
    }

    /// What the text does to the transaction of its connection.
    #[must_use]
    pub fn transaction_effect(&self) -> TransactionEffect {
        self.effect
    }

    /// The same text after a reader refused it.
    pub(crate) fn refused_by_reader(self) -> Self {
        let verdict = match self.verdict {
            Verdict::Read | Verdict::Session => Verdict::Write,
            other @ (Verdict::Lock | Verdict::Transaction(_) | Verdict::Write) => other,
        };
        Self { verdict, reason: "a reader refused it", certain: true, rerunnable: false, ..self }
    }
}
