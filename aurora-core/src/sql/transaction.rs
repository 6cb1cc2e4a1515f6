//! Transaction control: `BEGIN`, `COMMIT`, `ROLLBACK`, savepoints and their relatives.

use super::TransactionControl as Control;
use super::TransactionEffect as Effect;
use super::cursor::Cursor;
use super::lexer::Kind;

/// What one statement does to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command we do not know.
    Unknown,
    /// The text cannot be read further.
    Malformed,
    Control(Control),
    /// Nothing.
    Stay,
}

/// The effect of a text after one more statement.
pub(crate) fn fold(before: Effect, step: Step) -> Effect {
    let control = match step {
        Step::Control(control) => control,
        Step::Stay => return before,
        Step::Malformed | Step::Unknown => return Effect::Unclear,
    };
    if before == Effect::Unclear {
        return before;
    }
    match control {
        // A second BEGIN is a warning and changes the modes only.
        Control::Begin { read_only } => match before {
            Effect::Opens { read_only: first } => Effect::Opens { read_only: read_only.or(first) },
            Effect::Closes | Effect::None | Effect::Unclear => Effect::Opens { read_only },
        },
        Control::Commit
        | Control::CommitPrepared
        | Control::Prepare
        | Control::Rollback
        | Control::RollbackPrepared => match before {
            Effect::Opens { .. } => Effect::None,
            Effect::Closes | Effect::None | Effect::Unclear => Effect::Closes,
        },
        Control::SetTransaction { read_only: Some(read_only) } => match before {
            Effect::Opens { .. } => Effect::Opens { read_only: Some(read_only) },
            Effect::Closes | Effect::None | Effect::Unclear => before,
        },
        Control::SetTransaction { read_only: None }
        | Control::CommitAndChain
        | Control::RollbackAndChain
        | Control::ReleaseSavepoint
        | Control::RollbackToSavepoint
        | Control::Savepoint => before,
    }
}

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
