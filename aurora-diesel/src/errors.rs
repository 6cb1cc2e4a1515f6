//! Diesel's errors with what we know added: the outcome, the instance, the remedy.
//!
//! Diesel's error cannot carry a type of ours, so the three facts travel in its `details()`, in a
//! line that [`outcome`], [`retry`] and [`instance`] read back.

use std::error::Error as _;

#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "async-postgres",
    feature = "async-mysql"
))]
use aurora_core::session::Trouble;
use aurora_core::{ErrorKind, InstanceId, Outcome, Retry};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

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

struct Information {
    message: String,
    details: String,
    remedy: &'static str,
}

impl DatabaseErrorInformation for Information {
    fn message(&self) -> &str {
        &self.message
    }

    fn details(&self) -> Option<&str> {
        Some(&self.details)
    }

    fn hint(&self) -> Option<&str> {
        Some(self.remedy)
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        None
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// What travels in `details()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts<'a> {
    outcome: Outcome,
    retry: Retry,
    instance: Option<&'a str>,
}

const MARK: &str = "aurora: outcome=";

impl<'a> Facts<'a> {
    fn of(error: &'a aurora_core::Error) -> Self {
        Self {
            outcome: error.outcome(),
            retry: error.retry(),
            instance: error.instance().map(InstanceId::as_str),
        }
    }

    fn write(self) -> String {
        let outcome = match self.outcome {
            Outcome::Applied => "applied",
            Outcome::NotApplied => "not-applied",
            Outcome::Unknown => "unknown",
        };
        let retry = match self.retry {
            Retry::AfterTopologyChange => "after-topology-change",
            Retry::IfIdempotent => "if-idempotent",
            Retry::Never => "never",
        };
        let instance = self.instance.map(|name| format!(" instance={name}")).unwrap_or_default();
        format!("{MARK}{outcome} retry={retry}{instance}")
    }

    fn read(information: &'a (dyn DatabaseErrorInformation + Send + Sync)) -> Option<Self> {
        let mut words = information.details()?.strip_prefix(MARK)?.splitn(3, ' ');
        let outcome = match words.next()? {
            "applied" => Outcome::Applied,
            "not-applied" => Outcome::NotApplied,
            "unknown" => Outcome::Unknown,
            _ => return None,
        };
        let retry = match words.next()?.strip_prefix("retry=")? {
            "after-topology-change" => Retry::AfterTopologyChange,
            "if-idempotent" => Retry::IfIdempotent,
            "never" => Retry::Never,
            _ => return None,
        };
        let instance = words.next().and_then(|word| word.strip_prefix("instance="));
        Some(Self { outcome, retry, instance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(kind: DatabaseErrorKind) -> Error {
        Error::DatabaseError(kind, Box::new("server closed the connection\n".to_owned()))
    }

    #[test]
    fn what_is_written_into_an_error_is_read_back() {
        let ids = InstanceId::from("10.0.0.1:5432");
        for known in [Outcome::Applied, Outcome::NotApplied, Outcome::Unknown] {
            let error = lost(&plain(DatabaseErrorKind::ClosedConnection), &ids, known);
            assert_eq!(outcome(&error), known);
            assert_eq!(instance(&error), Some("10.0.0.1:5432"));
            assert_eq!(retry(&error) == Retry::IfIdempotent, known == Outcome::Unknown);
        }
        let error = from_core(&aurora_core::Error::new(ErrorKind::NoWriter, "no writer"));
        assert_eq!((outcome(&error), instance(&error)), (Outcome::NotApplied, None));
        assert_eq!(retry(&error), Retry::AfterTopologyChange);
    }

    #[test]
    fn a_message_is_one_line_and_names_the_remedy() {
        let error =
            lost(&plain(DatabaseErrorKind::ClosedConnection), &"a".into(), Outcome::Unknown);
        let Error::DatabaseError(_, information) = &error else { panic!("{error}") };
        assert_eq!(
            information.message(),
            "the connection to a was lost: server closed the connection"
        );
        assert!(information.hint().unwrap().contains("idempotent"));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_broken_connection_is_lost_whatever_the_error_says() {
        assert_eq!(trouble(&plain(DatabaseErrorKind::Unknown), true), Trouble::Lost);
        assert_eq!(trouble(&plain(DatabaseErrorKind::Unknown), false), Trouble::Statement);
        assert_eq!(trouble(&plain(DatabaseErrorKind::UnableToSendCommand), true), Trouble::NotSent);
    }
}
