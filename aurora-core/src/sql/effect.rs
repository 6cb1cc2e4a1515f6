//! What the statements of one text do to the transaction, one after the other.

use super::TransactionControl as Control;
use super::TransactionEffect as Effect;

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
