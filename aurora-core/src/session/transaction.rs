//! What a statement's text does to a transaction.

use crate::sql::{Classification, TransactionControl, TransactionEffect, Verdict};

/// Whether the text begins a transaction that a reader can serve.
pub(super) fn begins_on_reader(classification: &Classification, sql: &str) -> bool {
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
pub(super) fn commits(classification: &Classification) -> bool {
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
pub(super) fn only_begins(classification: &Classification) -> bool {
    matches!(classification.verdict(), Verdict::Transaction(TransactionControl::Begin { .. }))
}
