//! One attempt to run a statement, and how far it has gone.

use aurora_core::session::Step;
use aurora_core::sql::Classification;
use aurora_core::{Deadline, Need, Outcome};

use crate::statement::Ask;

/// One attempt to run a statement.
pub(crate) struct Attempt<'a> {
    pub(crate) ask: Ask<'a>,
    pub(crate) classification: Classification,
    pub(crate) deadline: Deadline,
    pub(crate) need: Need,
}

impl Attempt<'_> {
    /// Nothing is run again once somebody has seen a row.
    pub(crate) fn limit(&self, step: Step, is_lost: bool) -> Step {
        if self.ask.is_untouched() {
            return step;
        }
        match step {
            Step::Again(_) if is_lost => Step::FailLost(Outcome::NotApplied),
            Step::Again(_) | Step::OnWriter => Step::Fail,
            Step::AskThenAgain(_) => Step::AskThenFail,
            Step::AskThenFail | Step::Fail | Step::FailLost(_) => step,
        }
    }
}
