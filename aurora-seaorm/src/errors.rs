//! SeaORM's errors with what we know added: the kind, the outcome, the instance.
//!
//! An [`aurora_core::Error`] travels inside `DbErr` as the cause of sqlx's `Io` error, the place
//! that SeaORM leaves as it is. A server's own error stays as it came, so that
//! [`DbErr::sql_err`] and a look at its SQLSTATE work unchanged.

use std::error::Error as _;
use std::io;

use aurora_core::session::Trouble;
use aurora_core::{Error, ErrorKind, InstanceId, Outcome, Retry};
use sea_orm::{DbErr, RuntimeErr, TransactionError};

use crate::engine;

/// An error of SeaORM that may hold one of the cluster's.
pub trait AsDbErr {
    /// SeaORM's error, if this is one.
    fn as_db_err(&self) -> Option<&DbErr>;
}

impl AsDbErr for DbErr {
    fn as_db_err(&self) -> Option<&DbErr> {
        Some(self)
    }
}

impl<E: AsDbErr> AsDbErr for TransactionError<E> {
    fn as_db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Connection(error) => Some(error),
            Self::Transaction(error) => error.as_db_err(),
        }
    }
}

/// The error of the cluster behind one of SeaORM's, with its kind, outcome and instance; `None`
/// for the server's own errors about a statement.
///
/// # Examples
///
/// ```
/// use aurora_seaorm::{Error, ErrorKind, Outcome};
/// use sea_orm::DbErr;
///
/// let error = DbErr::from(aurora_seaorm::ClusterError(Error::new(ErrorKind::NoWriter, "none")));
/// assert_eq!(aurora_seaorm::cause(&error).map(Error::kind), Some(ErrorKind::NoWriter));
/// assert_eq!(aurora_seaorm::outcome(&error), Outcome::NotApplied);
/// ```
#[must_use]
pub fn cause(error: &impl AsDbErr) -> Option<&Error> {
    core_error(sqlx_error(error.as_db_err()?)?)
}

/// Whether the write that failed with `error` was applied.
#[must_use]
pub fn outcome(error: &impl AsDbErr) -> Outcome {
    let Some(error) = error.as_db_err() else { return Outcome::Unknown };
    if let Some(error) = sqlx_error(error) {
        return sqlx_outcome(error);
    }
    match error {
        DbErr::AttrNotSet(_)
        | DbErr::ConnectionAcquire(_)
        | DbErr::PrimaryKeyNotSet { .. }
        | DbErr::RecordNotInserted
        | DbErr::RecordNotUpdated
        | DbErr::UpdateGetPrimaryKey => Outcome::NotApplied,
        // The server executed it; what came back could not be used.
        DbErr::Json(_) | DbErr::TryIntoErr { .. } | DbErr::Type(_) | DbErr::UnpackInsertId => {
            Outcome::Applied
        }
        // The enum is open: what is not known is not claimed.
        _ => Outcome::Unknown,
    }
}

/// Whether running the operation that failed with `error` again makes sense.
#[must_use]
pub fn retry(error: &impl AsDbErr) -> Retry {
    if let Some(cause) = cause(error) {
        return cause.retry();
    }
    if outcome(error) == Outcome::Unknown {
        return Retry::IfIdempotent;
    }
    match error.as_db_err().and_then(sqlx_error).map(trouble) {
        Some(Trouble::Conflict | Trouble::NotSent | Trouble::ReadOnly) => {
            Retry::AfterTopologyChange
        }
        Some(Trouble::Lost | Trouble::Statement) | None => Retry::Never,
    }
}

/// The instance on which the operation failed, where that is known.
#[must_use]
pub fn instance(error: &impl AsDbErr) -> Option<&InstanceId> {
    cause(error)?.instance()
}

/// An error of the cluster on its way into a [`DbErr`].
#[derive(Debug)]
pub struct ClusterError(pub Error);

impl From<ClusterError> for DbErr {
    fn from(error: ClusterError) -> Self {
        conn_err(error.0)
    }
}

pub(crate) fn conn_err(error: Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(from_core(error).into()))
}

/// What SeaORM makes of an error of `execute`.
pub(crate) fn exec_err(error: sqlx::Error) -> DbErr {
    if never_ran(&error) {
        return DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    }
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

/// What SeaORM makes of an error of a query.
pub(crate) fn query_err(error: sqlx::Error) -> DbErr {
    if never_ran(&error) {
        return DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    }
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// Whether there was no connection to run the statement on.
fn never_ran(error: &sqlx::Error) -> bool {
    core_error(error).is_some_and(|error| {
        !matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::Statement)
    })
}

/// An error of the cluster as one of sqlx's.
pub(crate) fn from_core(error: Error) -> sqlx::Error {
    let kind = match error.kind() {
        ErrorKind::ConnectionLost => io::ErrorKind::ConnectionAborted,
        ErrorKind::Deadline | ErrorKind::NoReader | ErrorKind::NoWriter => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    sqlx::Error::Io(io::Error::new(kind, error))
}

/// A lost statement: the driver's error with the outcome and the instance.
pub(crate) fn lost(error: sqlx::Error, on: &InstanceId, outcome: Outcome) -> sqlx::Error {
    let remedy = match outcome {
        Outcome::Unknown => "it may have been applied: look before you run it again",
        Outcome::NotApplied => "it was not applied: run it again",
        Outcome::Applied => "it was applied: do not run it again",
    };
    let text = format!("the connection was lost: {}; {remedy}", driver_message(&error));
    let lost = Error::new(ErrorKind::ConnectionLost, text).on(on).with_outcome(outcome);
    from_core(lost.caused_by(error))
}

/// The error for what went with its connection, and was not applied.
pub(crate) fn lost_before(text: &str) -> sqlx::Error {
    from_core(Error::new(ErrorKind::ConnectionLost, text).with_outcome(Outcome::NotApplied))
}

/// The driver's words, without sqlx's introduction.
pub(crate) fn driver_message(error: &sqlx::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Judges an error of a physical connection.
pub(crate) fn trouble(error: &sqlx::Error) -> Trouble {
    match error {
        // Only writing gives this error, and a statement that was not written to its end is
        // not executed.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Trouble::NotSent,
        // sqlx says it before it sends the statement, in words alone (MySQL).
        sqlx::Error::Protocol(words) if words.starts_with("prepared statement expected") => {
            Trouble::Statement
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => Trouble::Lost,
        sqlx::Error::Database(error) => engine::trouble(&**error),
        _ => Trouble::Statement,
    }
}

/// Whether the connection is as it was before a statement that failed with this error.
pub(crate) fn leaves_connection_usable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_) | sqlx::Error::Encode(_) | sqlx::Error::RowNotFound)
}

fn sqlx_outcome(error: &sqlx::Error) -> Outcome {
    if let Some(error) = core_error(error) {
        return error.outcome();
    }
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::RowNotFound => Outcome::Applied,
        sqlx::Error::Encode(_)
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut => Outcome::NotApplied,
        sqlx::Error::Database(_) | sqlx::Error::Protocol(_) => match trouble(error) {
            Trouble::Lost => Outcome::Unknown,
            Trouble::Conflict | Trouble::NotSent | Trouble::ReadOnly | Trouble::Statement => {
                Outcome::NotApplied
            }
        },
        // The enum is open: what is not known is not claimed.
        _ => Outcome::Unknown,
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn core_error(error: &sqlx::Error) -> Option<&Error> {
    match error {
        sqlx::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_an_error_is_found_again() {
        for known in [Outcome::Applied, Outcome::NotApplied, Outcome::Unknown] {
            let broken = sqlx::Error::Io(io::Error::other("reset"));
            let error = exec_err(lost(broken, &"10.0.0.1:5432".into(), known));
            assert!(matches!(error, DbErr::Exec(_)));
            assert_eq!(outcome(&error), known);
            assert_eq!(instance(&error).map(InstanceId::as_str), Some("10.0.0.1:5432"));
            assert_eq!(retry(&error) == Retry::IfIdempotent, known == Outcome::Unknown);
            let nested: TransactionError<DbErr> = TransactionError::Transaction(error);
            assert_eq!(outcome(&nested), known);
        }
        let error = query_err(from_core(Error::new(ErrorKind::NoWriter, "no writer")));
        assert!(matches!(error, DbErr::Conn(_)));
        assert_eq!((outcome(&error), instance(&error)), (Outcome::NotApplied, None));
    }

    #[test]
    fn a_pipe_that_broke_while_writing_carried_no_statement() {
        let io = |kind| sqlx::Error::Io(io::Error::from(kind));
        assert_eq!(trouble(&io(io::ErrorKind::BrokenPipe)), Trouble::NotSent);
        assert_eq!(trouble(&io(io::ErrorKind::ConnectionReset)), Trouble::Lost);
        assert_eq!(trouble(&io(io::ErrorKind::UnexpectedEof)), Trouble::Lost);
    }

    #[test]
    fn values_that_do_not_fit_their_statement_are_its_own_fault() {
        let text = "prepared statement expected 1 parameters but 0 parameters were provided";
        let error = sqlx::Error::Protocol(text.into());
        assert_eq!(trouble(&error), Trouble::Statement);
        assert_eq!(outcome(&exec_err(error)), Outcome::NotApplied);
        let error = sqlx::Error::Protocol("unexpected packet".into());
        assert_eq!(trouble(&error), Trouble::Lost);
        assert_eq!(outcome(&exec_err(error)), Outcome::Unknown);
    }
}
