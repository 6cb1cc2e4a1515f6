//! What an error of diesel-async's means.

use aurora_core::session::Trouble;
use diesel::result::{DatabaseErrorKind, Error};

use crate::asynchronous::driver::sealed::Condition;
use crate::errors;

/// Whether the server certainly goes on after this error, which saves the question.
pub(super) fn tells_condition(error: &Error) -> bool {
    matches!(
        error,
        Error::DatabaseError(
            DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::ExclusionViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::ReadOnlyTransaction
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::UniqueViolation,
            _
        ) | Error::SerializationError(_)
            | Error::QueryBuilderError(_)
    )
}

pub(super) fn trouble(error: &Error, condition: Condition) -> Trouble {
    match (condition, error) {
        (Condition::Closed, _) => Trouble::Lost,
        (_, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)) => Trouble::ReadOnly,
        (_, Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => Trouble::Conflict,
        (_, error) if errors::is_deadlock(error) => Trouble::Conflict,
        (Condition::InFailedTransaction | Condition::Usable, _) => Trouble::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind) -> Error {
        Error::DatabaseError(kind, Box::new(String::new()))
    }

    #[test]
    fn what_the_driver_could_not_send_may_have_been_sent() {
        let error = error(DatabaseErrorKind::UnableToSendCommand);
        assert_eq!(trouble(&error, Condition::Closed), Trouble::Lost);
        assert_eq!(trouble(&error, Condition::Usable), Trouble::Statement);
        assert!(!tells_condition(&error));
    }

    #[test]
    fn a_server_that_says_farewell_is_lost_whatever_it_says() {
        for kind in [DatabaseErrorKind::SerializationFailure, DatabaseErrorKind::Unknown] {
            assert!(!tells_condition(&error(kind)));
        }
        let conflict = error(DatabaseErrorKind::SerializationFailure);
        assert_eq!(trouble(&conflict, Condition::Closed), Trouble::Lost);
        assert_eq!(trouble(&conflict, Condition::InFailedTransaction), Trouble::Conflict);
    }
}
