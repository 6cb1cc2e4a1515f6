//! Read or write? A scanner of SQL text that says where a statement may run.
//!
//! SQL text goes in, a [`Classification`] comes out: what the statement is ([`Verdict`]) with the
//! reason in words, where it should run ([`Classification::route`]), whether it may be run again
//! after a lost connection, what it leaves behind in the session, and what it does to the
//! transaction. The scanner never fails and never guesses towards read: what is not certainly a
//! read goes to the writer.
//!
//! It scans tokens once and builds no tree. On 50,000 statements of PostgreSQL's regression suites,
//! tried on a real hot standby, none that must not be a read was called one, and 99 % of what the
//! standby answers were; rules over the trees of `sqlparser` and of PostgreSQL's own parser get 362
//! and 203 wrong, at forty times the cost and more (`docs/classifier.md` in the repository).
//!
//! What no text can tell: whether a function, view, operator or cast of the user writes (`t.f` may
//! be the call `f(t)`, too). Functions which are not the server's own are taken as reads unless
//! [`Rules`] say otherwise: a reader that refuses one is remembered with
//! [`StatementCache::remember_write`], and after a lost connection the statement is not run again,
//! as it may have written on a reader that was being promoted.
//!
//! ```
//! use aurora_core::sql::{Rules, SqlDialect, Target, Verdict, classify};
//!
//! let rules = Rules::default();
//! let judge = |sql| classify(SqlDialect::Postgres, sql, &rules);
//! let read = judge("SELECT * FROM users WHERE id = $1");
//! assert_eq!((read.verdict(), read.route()), (Verdict::Read, Target::Reader));
//!
//! let write = judge("WITH d AS (DELETE FROM a RETURNING *) SELECT * FROM d");
//! assert_eq!((write.verdict(), write.route()), (Verdict::Write, Target::Writer));
//!
//! let lock = judge("SELECT * FROM users FOR UPDATE");
//! assert_eq!((lock.verdict(), lock.route()), (Verdict::Lock, Target::Writer));
//! ```

mod cache;
mod classification;
mod cursor;
mod dialect;
mod effect;
mod index;
mod keyed_hash;
mod mysql;
mod name_list;
mod names;
mod part;
mod popular;
mod postgres;
mod refused;
mod rules;
mod shard;
#[cfg(test)]
mod texts;
mod token;

pub use cache::StatementCache;
pub use classification::{Classification, Target};
pub use dialect::SqlDialect;
pub use rules::Rules;

/// Classifies SQL text. Never fails and never panics; the time is linear in the length of the text,
/// and nothing is allocated.
///
/// Text without any statement (empty, or comments only: a ping) is a read: the server parses it to
/// nothing on every instance. Where settings of the server or the session change how the text is
/// read (`standard_conforming_strings` of PostgreSQL, `sql_mode` of MySQL), it is judged under all of
/// them, and goes to the writer where they differ.
///
/// ```
/// use aurora_core::sql::{Rules, SqlDialect, Target, TransactionEffect, Verdict, classify};
///
/// let judge = |sql| classify(SqlDialect::Postgres, sql, &Rules::default());
/// let script = judge("BEGIN READ ONLY; SELECT 1");
/// assert_eq!(script.verdict(), Verdict::Write, "several statements in one text");
/// assert_eq!(script.transaction_effect(), TransactionEffect::Opens { read_only: Some(true) });
///
/// let hinted = judge("/*@reader*/ SELECT nextval('s')");
/// assert_eq!(hinted.hint(), Some(Target::Reader));
/// assert_eq!(hinted.route(), Target::Writer, "every reader would refuse it");
/// ```
#[must_use]
pub fn classify(dialect: SqlDialect, sql: &str, rules: &Rules) -> Classification {
    match dialect {
        SqlDialect::Postgres => postgres::classify(sql, rules),
        SqlDialect::MySql => mysql::classify(sql, rules),
    }
}

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
