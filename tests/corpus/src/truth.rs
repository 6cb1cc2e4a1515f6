//! What a server that may not write makes of a statement.

use std::fmt;

/// What was seen when a statement was tried on a server that may not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It was answered, and nothing was left of it.
    Answered,
    /// It was refused because the server may not write, for a reason that stands in the text.
    Refused,
    /// It took locks beyond those of a read, or advisory ones.
    Locks,
    /// It changed the state of the session or the transaction.
    ChangesState,
    /// It failed for want of state of a session that was not there: a cursor, a prepared statement.
    NeedsSession,
    /// It was refused for a reason that is not in the text: inside a function or a view of the user.
    Hidden,
    /// It failed there only, for another reason (a temporary table of the writer's session).
    Unclear,
    /// It fails everywhere.
    Wrong,
}

impl Truth {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::Refused,
        Self::Locks,
        Self::ChangesState,
        Self::NeedsSession,
        Self::Hidden,
        Self::Unclear,
        Self::Wrong,
    ];

    /// Whether a statement of which this is true must never be called a read.
    #[must_use]
    pub fn forbids_read(self) -> bool {
        matches!(self, Self::Refused | Self::Locks | Self::ChangesState | Self::NeedsSession)
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Locks => "takes locks",
            Self::ChangesState => "changes state",
            Self::NeedsSession => "needs its session",
            Self::Hidden => "refused, not visible",
            Self::Unclear => "fails there only",
            Self::Wrong => "fails everywhere",
        })
    }
}
