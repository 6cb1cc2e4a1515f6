//! Work on the writer that cannot be sent again, because running it uses it up.

use aurora_core::{ErrorKind, Outcome};
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;
use crate::errors;
use crate::manager::Physical;
use crate::recover::Statement;

impl<C: Physical> AuroraConnection<C> {
    /// Runs `work` on the physical writer connection, once: nobody can tell what it may repeat.
    pub(crate) fn once_on_writer<R>(
        &mut self,
        work: impl FnOnce(&mut C) -> Result<R, Error>,
    ) -> QueryResult<R> {
        let mut work = Some(work);
        let mut is_used_up = false;
        let classification = self.cluster().classify("UPDATE");
        let statement = Statement::of_text(classification, "UPDATE");
        let result = self.run(&statement, |connection| match work.take() {
            Some(work) => work(connection),
            None => {
                is_used_up = true;
                // Any error that recovery takes for the statement's own.
                Err(Error::RollbackTransaction)
            }
        });
        if is_used_up { Err(cannot_be_sent_again()) } else { result }
    }
}

/// The error for work that recovery would run again, because it certainly was not executed, but
/// that has been used up.
fn cannot_be_sent_again() -> Error {
    let text = "the writer refused it as read-only, or it never left: run it again";
    let error = aurora_core::Error::new(ErrorKind::ConnectionLost, text);
    errors::from_core(&error.with_outcome(Outcome::NotApplied))
}
