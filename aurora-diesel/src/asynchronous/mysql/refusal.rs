//! What a server has refused a statement with.
//!
//! diesel-async passes on the words of an error, and of the codes only those for which Diesel has a
//! kind. The codes are asked for on the same connection, which costs nothing while nothing fails:
//! the server keeps the conditions of its last statement until the next one that is no `GET
//! DIAGNOSTICS` (MySQL manual, "GET DIAGNOSTICS Statement"; MariaDB, "GET DIAGNOSTICS"). The server
//! keeps none with `max_error_count = 0`: then an error is the statement's own.

use aurora_core::session::Trouble;
use diesel::connection::InstrumentationEvent;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::{Nullable, Text};
use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
};

/// The error is the last condition: warnings may stand before it.
const ASK: &str = "GET DIAGNOSTICS @aurora_number = NUMBER; \
    GET DIAGNOSTICS CONDITION @aurora_number @aurora_errno = MYSQL_ERRNO, \
    @aurora_state = RETURNED_SQLSTATE, @aurora_message = MESSAGE_TEXT";
const TELL: &str = "CONCAT_WS(' ', @aurora_errno, @aurora_state, @aurora_message)";
/// Whether a lock wait timeout (1205) rolls back the whole transaction.
const ON_TIMEOUT: &str = "CONCAT(@@GLOBAL.innodb_rollback_on_timeout)";

/// An error as the server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    number: u16,
    state: String,
    message: String,
}

impl Refusal {
    /// What the server has refused its last statement with; the outer error is one of the
    /// connection.
    pub(super) async fn ask(connection: &mut AsyncMysqlConnection) -> QueryResult<Option<Self>> {
        if connection.batch_execute(ASK).await.is_err() {
            // It keeps no condition, or the connection is gone.
            connection.batch_execute("DO 0").await?;
            return Ok(None);
        }
        let told = diesel::select(diesel::dsl::sql::<Nullable<Text>>(TELL));
        let told: Option<String> = told.get_result(connection).await?;
        Ok(told.as_deref().and_then(Self::parse))
    }

    fn parse(told: &str) -> Option<Self> {
        let mut words = told.splitn(3, ' ');
        let number = words.next()?.parse().ok()?;
        let (state, message) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { number, state, message })
    }

    /// Whether this is the error that diesel-async tells of: what never reached the server is not
    /// what the server keeps. It may keep the beginning only.
    pub(super) fn is_told_by(&self, error: &Error) -> bool {
        matches!(error, Error::DatabaseError(_, information)
            if information.message().starts_with(&self.message))
    }

    /// What it means for its statement.
    pub(super) fn trouble(&self) -> Trouble {
        Trouble::of_mysql(self.number, &self.state, &self.message)
    }

    /// Whether the server has rolled back the whole transaction.
    pub(super) async fn ends_transaction(
        &self,
        connection: &mut AsyncMysqlConnection,
    ) -> QueryResult<bool> {
        let ends =
            |on_timeout| Trouble::ends_mysql_transaction(self.number, &self.state, on_timeout);
        if ends(false) == ends(true) {
            return Ok(ends(false));
        }
        let asked = diesel::select(diesel::dsl::sql::<Text>(ON_TIMEOUT));
        let on_timeout: String = asked.get_result(connection).await?;
        Ok(ends(on_timeout == "1" || on_timeout.eq_ignore_ascii_case("on")))
    }
}

/// The error of the connection's last statement with the kind that Diesel has for what it means.
pub(super) async fn with_kind(error: Error, connection: &mut AsyncMysqlConnection) -> Error {
    connection.set_instrumentation(|_: InstrumentationEvent<'_>| ());
    match Refusal::ask(connection).await {
        Ok(Some(refusal)) if refusal.is_told_by(&error) => of_kind(error, refusal.trouble()),
        Ok(_) => error,
        Err(_) => of_kind(error, Trouble::Lost),
    }
}

/// The error with the kind that Diesel has for that trouble, where diesel-async knows none.
pub(super) fn of_kind(error: Error, trouble: Trouble) -> Error {
    let kind = match trouble {
        Trouble::Conflict => DatabaseErrorKind::SerializationFailure,
        Trouble::ReadOnly => DatabaseErrorKind::ReadOnlyTransaction,
        Trouble::Lost => DatabaseErrorKind::ClosedConnection,
        Trouble::NotSent | Trouble::Statement => return error,
    };
    match error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            Error::DatabaseError(kind, information)
        }
        error => error,
    }
}

/// Whether the server certainly goes on after this error, and has told all there is to know.
pub(super) fn is_plain(error: &Error) -> bool {
    matches!(
        error,
        Error::DatabaseError(
            DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::UniqueViolation,
            _
        ) | Error::SerializationError(_)
            | Error::QueryBuilderError(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str) -> Error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    #[test]
    fn what_the_server_keeps_is_believed_of_the_error_it_is_about_only() {
        let refusal = Refusal::parse("1213 40001 Deadlock found when").unwrap();
        assert_eq!(refusal.trouble(), Trouble::Conflict);
        assert!(refusal.is_told_by(&error("Deadlock found when trying to get lock")));
        assert!(!refusal.is_told_by(&error("Driver error: `Packet too large.'")));
        assert!(!refusal.is_told_by(&Error::NotFound));
        assert_eq!(Refusal::parse(""), None);
        assert_eq!(Refusal::parse("70000 HY000 what"), None);
    }

    #[test]
    fn kinds_are_given_where_there_are_none() {
        let kind = |trouble| match of_kind(error("a"), trouble) {
            Error::DatabaseError(kind, _) => format!("{kind:?}"),
            error => panic!("{error}"),
        };
        assert_eq!(kind(Trouble::ReadOnly), "ReadOnlyTransaction");
        assert_eq!(kind(Trouble::Conflict), "SerializationFailure");
        assert_eq!(kind(Trouble::Statement), "Unknown");
        assert_eq!(of_kind(Error::NotFound, Trouble::Lost), Error::NotFound);
    }
}
