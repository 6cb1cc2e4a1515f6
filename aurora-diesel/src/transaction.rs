//! What the session knows of its transaction, begun through Diesel or as text.

use aurora_core::sql::{Classification, TransactionControl, TransactionEffect, Verdict};
use diesel::connection::AnsiTransactionManager;
use diesel::connection::TransactionManager as _;

use crate::connection::AuroraConnection;
use crate::manager::Physical;

/// An open transaction: everything runs on its connection until it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    /// It was begun `READ ONLY`: that a write is refused is the user's own doing.
    pub(crate) read_only: bool,
    /// It has changed data, as far as can be told.
    pub(crate) wrote: bool,
}

/// Whether the text begins a transaction that a reader can serve.
pub(crate) fn begins_on_reader(classification: &Classification, sql: &str) -> bool {
    let read_only = matches!(
        classification.transaction_effect(),
        TransactionEffect::Opens { read_only: Some(true) }
    );
    // A hot standby cannot run serializable transactions (PostgreSQL documentation 27.4.2).
    read_only && !contains_word(sql, "serializable")
}

fn contains_word(sql: &str, word: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether the statement, when it gets through, makes the transaction's work permanent.
pub(crate) fn commits(classification: &Classification) -> bool {
    match classification.verdict() {
        Verdict::Transaction(control) => matches!(
            control,
            TransactionControl::Commit
                | TransactionControl::CommitAndChain
                | TransactionControl::CommitPrepared
                | TransactionControl::Prepare
        ),
        // A text of several statements may hold a COMMIT.
        Verdict::Lock | Verdict::Read | Verdict::Session | Verdict::Write => {
            classification.transaction_effect() != TransactionEffect::None
        }
    }
}

/// Whether it does nothing but begin a transaction: then running it again does no harm.
pub(crate) fn only_begins(classification: &Classification) -> bool {
    matches!(classification.verdict(), Verdict::Transaction(TransactionControl::Begin { .. }))
}

impl<C: Physical> AuroraConnection<C> {
    /// Follows a statement that succeeded.
    pub(crate) fn follow(&mut self, classification: &Classification) {
        self.wrote(classification);
        if classification.leaves_session_state() {
            self.pinned = true;
            self.dirty = true;
        }
        match classification.transaction_effect() {
            TransactionEffect::None => {}
            TransactionEffect::Opens { read_only } => {
                let read_only = read_only == Some(true);
                let wrote = classification.verdict() == Verdict::Write;
                self.transaction = Some(Transaction { read_only, wrote });
            }
            TransactionEffect::Closes => self.end_transaction(),
            TransactionEffect::Unclear => self.distrust(),
        }
    }

    /// Follows a statement that the server refused.
    pub(crate) fn follow_failure(&mut self, classification: &Classification) {
        let effect = classification.transaction_effect();
        let sure = matches!(classification.verdict(), Verdict::Transaction(_));
        match effect {
            TransactionEffect::Closes if sure => {
                // COMMIT ends the transaction even when it fails; the driver knows.
                if self.physical_depth_is_zero() {
                    self.end_transaction();
                }
            }
            TransactionEffect::None => {}
            TransactionEffect::Opens { .. } if sure => {}
            TransactionEffect::Closes
            | TransactionEffect::Opens { .. }
            | TransactionEffect::Unclear => self.distrust(),
        }
    }

    /// Nobody can tell what the connection is in the middle of: stay on it, and close it then.
    fn distrust(&mut self) {
        self.dirty = true;
        self.pinned = true;
        self.last_write = Some(std::time::Instant::now());
        self.transaction.get_or_insert(Transaction { read_only: false, wrote: true });
    }

    fn end_transaction(&mut self) {
        if self.transaction.take().is_some_and(|transaction| transaction.wrote) {
            self.last_write = Some(std::time::Instant::now());
        }
    }

    fn physical_depth_is_zero(&mut self) -> bool {
        let Some(lease) = &mut self.lease else { return true };
        let status = AnsiTransactionManager::transaction_manager_status_mut(&mut **lease);
        status.transaction_depth().is_ok_and(|depth| depth.is_none())
    }

    /// Whether the transaction is one of Diesel's test transactions, which outlive check-in.
    pub(crate) fn is_test_transaction(&mut self) -> bool {
        self.transaction.is_some()
            && !self.physical_depth_is_zero()
            && !AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}

#[cfg(test)]
mod tests {
    use aurora_core::sql::{Rules, classify_postgres};

    use super::*;

    fn classified(sql: &str) -> Classification {
        classify_postgres(sql, &Rules::default())
    }

    #[test]
    fn read_only_transactions_begin_on_a_reader_unless_serializable() {
        for (sql, on_reader) in [
            ("BEGIN", false),
            ("BEGIN READ ONLY", true),
            ("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", true),
            ("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", false),
            ("SELECT 1", false),
        ] {
            assert_eq!(begins_on_reader(&classified(sql), sql), on_reader, "{sql}");
        }
    }

    #[test]
    fn what_may_commit_is_known() {
        for (sql, may) in [
            ("COMMIT", true),
            ("END", true),
            ("PREPARE TRANSACTION 'a'", true),
            ("ROLLBACK", false),
            ("RELEASE SAVEPOINT a", false),
            ("INSERT INTO t VALUES (1)", false),
            ("INSERT INTO t VALUES (1); COMMIT", true),
        ] {
            assert_eq!(commits(&classified(sql)), may, "{sql}");
        }
    }
}
