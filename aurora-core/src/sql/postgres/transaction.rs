//! Transaction control: `BEGIN`, `COMMIT`, `ROLLBACK`, savepoints and their relatives.

use super::cursor::Cursor;
use super::token::Kind;
use crate::sql::TransactionControl as Control;

/// `ISOLATION LEVEL …, READ ONLY | READ WRITE, [NOT] DEFERRABLE`: the last one of a kind counts.
pub(crate) fn modes(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut read_only = None;
    while !cursor.at_end() {
        if cursor.current().is("read") {
            if cursor.next().is("only") {
                read_only = Some(true);
            } else if cursor.next().is("write") {
                read_only = Some(false);
            }
        }
        cursor.advance();
    }
    read_only
}

/// After `BEGIN` or `START TRANSACTION`.
pub(crate) fn begin(cursor: &mut Cursor<'_>) -> Control {
    Control::Begin { read_only: modes(cursor) }
}

/// After `COMMIT` or `END`.
pub(crate) fn commit(cursor: &mut Cursor<'_>) -> Control {
    cursor.accept(&["work", "transaction"]);
    if cursor.current().is("prepared") {
        Control::CommitPrepared
    } else if chains(cursor) {
        Control::CommitAndChain
    } else {
        Control::Commit
    }
}

/// After `ROLLBACK` or `ABORT`.
pub(crate) fn rollback(cursor: &mut Cursor<'_>) -> Control {
    cursor.accept(&["work", "transaction"]);
    if cursor.current().is("prepared") {
        Control::RollbackPrepared
    } else if cursor.current().is("to") {
        Control::RollbackToSavepoint
    } else if chains(cursor) {
        Control::RollbackAndChain
    } else {
        Control::Rollback
    }
}

/// `AND CHAIN`, but not `AND NO CHAIN`.
fn chains(cursor: &Cursor<'_>) -> bool {
    cursor.current().is("and") && cursor.next().is("chain")
}

/// After `PREPARE`: whether it is `PREPARE TRANSACTION 'id'` and not a statement of that name.
pub(crate) fn is_prepare_transaction(cursor: &Cursor<'_>) -> bool {
    cursor.current().is("transaction") && cursor.next().kind == Kind::Text
}
