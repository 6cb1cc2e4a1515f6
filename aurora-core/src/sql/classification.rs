//! What is known about a text.

use super::part::Part;
use super::{TransactionEffect, Verdict};
use crate::config::Freshness;

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
    freshness: Option<Freshness>,
    effect: TransactionEffect,
    certain: bool,
    rerunnable: bool,
    leaves_session_state: bool,
    follows: bool,
}

impl Classification {
    pub(crate) fn new(part: Part, effect: TransactionEffect, hint: Option<Target>) -> Self {
        Self {
            verdict: part.verdict,
            reason: part.reason,
            hint,
            freshness: None,
            effect,
            certain: part.certain,
            rerunnable: part.rerunnable,
            leaves_session_state: part.leaves,
            follows: part.follows,
        }
    }

    /// The same with the freshness that the text itself asks for.
    pub(crate) fn with_freshness(self, freshness: Option<Freshness>) -> Self {
        Self { freshness, ..self }
    }

    /// What holds for a text that the server reads in one of two ways; where they differ, the
    /// careful answer with this reason.
    pub(crate) fn or(self, other: Self, reason: &'static str) -> Self {
        let same = self.verdict == other.verdict && self.effect == other.effect;
        let unclear = TransactionEffect::Unclear;
        Self {
            verdict: if same { self.verdict } else { Verdict::Write },
            reason: if same { self.reason } else { reason },
            hint: if self.hint == other.hint { self.hint } else { None },
            freshness: if self.freshness == other.freshness {
                self.freshness
            } else {
                Some(Freshness::Strong)
            },
            effect: if self.effect == other.effect { self.effect } else { unclear },
            certain: self.certain || other.certain,
            rerunnable: self.rerunnable && other.rerunnable,
            leaves_session_state: self.leaves_session_state || other.leaves_session_state,
            follows: self.follows || other.follows,
        }
    }

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
    /// be run again after a connection was lost. `true` for reads, unless they call a function which
    /// neither the server's list nor [`Rules::read_functions`](super::Rules::read_functions) knows,
    /// and for what goes to the writer for its locks or its position in the log only.
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

    /// How recent the data must be by a `/*@fresh level*/` comment, where the level is one of the
    /// option `freshness`: `/*@fresh strong*/`, `/*@fresh eventual*/`, `/*@fresh bounded:200ms*/`.
    /// One that cannot be read asks for `strong`, and so do two that differ.
    #[must_use]
    pub fn freshness(&self) -> Option<Freshness> {
        self.freshness
    }

    /// Where to run the text: the hint if there is one, else a reader for [`Verdict::Read`] and the
    /// writer for everything else.
    ///
    /// A reader hint is not followed when a reader could not be right: data changes, data
    /// definition, locking reads, advisory locks, transaction control, and whatever the server
    /// refuses during recovery stay on the writer. It is followed for what is only *possibly* a
    /// write, such as `CALL`, session state, or what
    /// [`Rules::unknown_functions_write`](super::Rules::unknown_functions_write) makes one.
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

    /// Whether the text tells what an earlier statement left on its connection, as
    /// `LAST_INSERT_ID()`, `ROW_COUNT()` and `SHOW WARNINGS` of MySQL do: on another connection the
    /// answer would be that of somebody else's statement. Never for texts of PostgreSQL.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.follows
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
