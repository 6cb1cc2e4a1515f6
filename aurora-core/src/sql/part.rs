//! What one statement, or one finding inside it, contributes to the verdict.

use super::Verdict;

/// The judgement of one statement or of one finding inside it; parts are merged to the strongest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'static str,
    /// A reader could not be right: a reader hint is not followed.
    pub(crate) certain: bool,
    pub(crate) rerunnable: bool,
    pub(crate) leaves: bool,
    /// It tells what an earlier statement left on its connection.
    pub(crate) follows: bool,
}

impl Part {
    const fn new(verdict: Verdict, reason: &'static str) -> Self {
        Self { verdict, reason, certain: false, rerunnable: false, leaves: false, follows: false }
    }

    /// A read that may be run again.
    pub(crate) const fn read(reason: &'static str) -> Self {
        Self { rerunnable: true, ..Self::new(Verdict::Read, reason) }
    }

    /// Possibly a write: a reader hint is followed.
    pub(crate) const fn doubtful(reason: &'static str) -> Self {
        Self::new(Verdict::Write, reason)
    }

    /// Certainly a write, or refused by every reader.
    pub(crate) const fn write(reason: &'static str) -> Self {
        Self { certain: true, ..Self::new(Verdict::Write, reason) }
    }

    /// A lock that only means something on the writer.
    pub(crate) const fn lock(reason: &'static str) -> Self {
        Self { certain: true, ..Self::new(Verdict::Lock, reason) }
    }

    /// Takes a lock beyond a read's, and only reads: harmless wherever it runs, and however often.
    pub(crate) const fn read_lock(reason: &'static str) -> Self {
        Self { rerunnable: true, ..Self::new(Verdict::Lock, reason) }
    }

    /// Depends on its session, or changes it.
    pub(crate) const fn session(reason: &'static str) -> Self {
        Self::new(Verdict::Session, reason)
    }

    /// Tells what an earlier statement left on its connection, and changes nothing.
    pub(crate) const fn following(reason: &'static str) -> Self {
        Self { follows: true, ..Self::session(reason) }
    }

    /// Transaction control: never sent elsewhere by a hint.
    pub(crate) const fn transaction(control: super::TransactionControl) -> Self {
        let verdict = Verdict::Transaction(control);
        Self { certain: true, ..Self::new(verdict, "transaction control") }
    }

    /// Not well-formed text: nothing about it is believed.
    pub(crate) const fn malformed() -> Self {
        Self::doubtful("not well-formed SQL").leaving()
    }

    /// The same, and the session is changed afterwards.
    pub(crate) const fn leaving(self) -> Self {
        Self { leaves: true, ..self }
    }

    /// The same, and a reader could not be right.
    pub(crate) const fn certain(self) -> Self {
        Self { certain: true, ..self }
    }

    /// The same, and harmless to run again.
    pub(crate) const fn harmless(self) -> Self {
        Self { rerunnable: true, ..self }
    }

    /// What a text is of whose `count` statements this is the whole.
    pub(crate) fn of_text(whole: Option<Self>, count: usize) -> Self {
        match whole {
            None => Self::read("no statement in the text"),
            Some(part) if count > 1 && part.verdict != Verdict::Write => {
                Self { verdict: Verdict::Write, reason: "several statements in one text", ..part }
            }
            Some(part) => part,
        }
    }

    fn rank(&self) -> u8 {
        match self.verdict {
            Verdict::Read => 0,
            Verdict::Session => 1,
            Verdict::Transaction(_) => 2,
            Verdict::Lock => 3,
            Verdict::Write => 4 + u8::from(self.certain),
        }
    }

    /// Both happen: the stronger verdict with its reason, and the caution of either.
    pub(crate) fn and(self, other: Self) -> Self {
        let stronger = if other.rank() > self.rank() { other } else { self };
        Self {
            certain: self.certain || other.certain,
            rerunnable: self.rerunnable && other.rerunnable,
            leaves: self.leaves || other.leaves,
            follows: self.follows || other.follows,
            ..stronger
        }
    }
}
