//! Diesel's errors with what we know added: the outcome, the instance, the remedy.
//!
//! Diesel's error cannot carry a type of ours, so the three facts travel in its `details()`, in a
//! line that [`outcome`], [`retry`] and [`instance`] read back.

mod facts;

use std::error::Error as _;

#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "async-postgres",
    feature = "async-mysql"
))]
use aurora_core::session::Trouble;
use aurora_core::{ErrorKind, InstanceId, Outcome, Retry};
use diesel::result::{DatabaseErrorKind, Error};

use self::facts::{Facts, Information};

/// Whether the write that failed with `error` was applied.
///
/// # Examples
///
/// ```
/// use aurora_diesel::Outcome;
/// use diesel::result::{DatabaseErrorKind, Error};
///
/// let refused = Error::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(String::new()));
/// assert_eq!(aurora_diesel::outcome(&refused), Outcome::NotApplied);
/// let lost = Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(String::new()));
/// assert_eq!(aurora_diesel::outcome(&lost), Outcome::Unknown);
/// ```
#[must_use]
pub fn outcome(error: &Error) -> Outcome {
    match error {
        Error::DatabaseError(kind, information) => match Facts::read(&**information) {
            Some(facts) => facts.outcome,
            None => kind_outcome(kind),
        },
        // The server executed it; what came back could not be used.
        Error::NotFound | Error::DeserializationError(_) => Outcome::Applied,
        Error::RollbackErrorOnCommit { commit_error, .. } => outcome(commit_error),
        Error::InvalidCString(_)
        | Error::QueryBuilderError(_)
        | Error::SerializationError(_)
        | Error::RollbackTransaction
        | Error::AlreadyInTransaction
        | Error::NotInTransaction
        | Error::BrokenTransactionManager => Outcome::NotApplied,
        // The enum is open: what is not known is not claimed.
        _ => Outcome::Unknown,
    }
}

/// Whether running the operation that failed with `error` again makes sense.
#[must_use]
pub fn retry(error: &Error) -> Retry {
    match error {
        Error::DatabaseError(kind, information) => match Facts::read(&**information) {
            Some(facts) => facts.retry,
            None => match (kind, outcome(error)) {
                (_, Outcome::Unknown) => Retry::IfIdempotent,
                (
                    DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::ReadOnlyTransaction,
                    _,
                ) => Retry::AfterTopologyChange,
                (_, _) => Retry::Never,
            },
        },
        Error::RollbackErrorOnCommit { commit_error, .. } => retry(commit_error),
        error if outcome(error) == Outcome::Unknown => Retry::IfIdempotent,
        _ => Retry::Never,
    }
}

/// The instance on which the operation failed, where that is known.
#[must_use]
pub fn instance(error: &Error) -> Option<&str> {
    match error {
        Error::DatabaseError(_, information) => Facts::read(&**information)?.instance,
        Error::RollbackErrorOnCommit { commit_error, .. } => instance(commit_error),
        _ => None,
    }
}

fn kind_outcome(kind: &DatabaseErrorKind) -> Outcome {
    match kind {
        DatabaseErrorKind::ClosedConnection => Outcome::Unknown,
        // The server answered with an error, or was not reached: either way nothing was applied.
        _ => Outcome::NotApplied,
    }
}

/// Judges an error of a physical connection; `is_broken` is what the driver thinks of it.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn trouble(error: &Error, is_broken: bool) -> Trouble {
    let Error::DatabaseError(kind, _) = error else {
        return if is_broken { Trouble::Lost } else { Trouble::Statement };
    };
    match kind {
        DatabaseErrorKind::ClosedConnection => Trouble::Lost,
        DatabaseErrorKind::UnableToSendCommand => Trouble::NotSent,
        _ if is_broken => Trouble::Lost,
        DatabaseErrorKind::ReadOnlyTransaction => Trouble::ReadOnly,
        DatabaseErrorKind::SerializationFailure => Trouble::Conflict,
        _ if is_deadlock(error) => Trouble::Conflict,
        _ => Trouble::Statement,
    }
}

/// Whether the server broke a deadlock (40P01). Diesel passes neither the code nor a kind on, so
/// this is a look at the server's words; other ones are taken for the statement's own fault.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "async-postgres"))]
pub(crate) fn is_deadlock(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(DatabaseErrorKind::Unknown, information)
        if information.message() == "deadlock detected")
}

/// The error for a transaction that was not applied, and will not be tried again.
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "async-postgres",
    feature = "async-mysql"
))]
pub(crate) fn out_of_time(error: &aurora_core::Error, trouble: Trouble) -> Error {
    let kind = match trouble {
        Trouble::Conflict => DatabaseErrorKind::SerializationFailure,
        Trouble::ReadOnly => DatabaseErrorKind::ReadOnlyTransaction,
        Trouble::Lost => DatabaseErrorKind::ClosedConnection,
        Trouble::NotSent | Trouble::Statement => DatabaseErrorKind::UnableToSendCommand,
    };
    database_error(kind, error.to_string(), Facts::of(error), "it was not applied: run it again")
}

/// A lost statement: the driver's error with the outcome, the instance and the remedy.
pub(crate) fn lost(error: &Error, on: &InstanceId, outcome: Outcome) -> Error {
    let (remedy, retry) = match outcome {
        Outcome::Unknown => (
            "it may have been applied: look before you run it again, or make it idempotent",
            Retry::IfIdempotent,
        ),
        Outcome::NotApplied => ("it was not applied: run it again", Retry::AfterTopologyChange),
        Outcome::Applied => ("it was applied: do not run it again", Retry::Never),
    };
    let facts = Facts { outcome, retry, instance: Some(on.as_str()) };
    database_error(
        DatabaseErrorKind::ClosedConnection,
        format!("the connection to {on} was lost: {}", driver_message(error)),
        facts,
        remedy,
    )
}

/// An error of the cluster as one of Diesel's.
pub(crate) fn from_core(error: &aurora_core::Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::ReadOnly => DatabaseErrorKind::ReadOnlyTransaction,
        _ if error.outcome() == Outcome::Unknown => DatabaseErrorKind::ClosedConnection,
        _ => DatabaseErrorKind::UnableToSendCommand,
    };
    let facts = Facts::of(error);
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let remedy = match error.retry() {
        Retry::AfterTopologyChange => "nothing was sent: run it again when status() shows a remedy",
        Retry::IfIdempotent => "run it again only if doing so twice does no harm",
        Retry::Never => "it will fail again until the cause is removed",
    };
    database_error(kind, format!("{error}{cause}"), facts, remedy)
}

fn database_error(
    kind: DatabaseErrorKind,
    message: String,
    facts: Facts<'_>,
    remedy: &'static str,
) -> Error {
    Error::DatabaseError(kind, Box::new(Information { message, details: facts.write(), remedy }))
}

/// The first line of the driver's message; libpq goes on to guess at what that probably means.
pub(crate) fn driver_message(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
