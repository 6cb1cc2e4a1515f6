//! What an error is about.
//!
//! Diesel keeps of an error its words, and a kind where it knows the number. It knows few: a refused
//! write, a lost connection and a deadlock in a text are `Unknown` alike. So the connection is asked,
//! right after the error: `GET DIAGNOSTICS` tells the number of the last one, and is believed only if
//! it tells the same words. A connection that does not answer is lost, whatever the words were.
//!
//! Where the server keeps no diagnostics (`max_error_count = 0`) the words decide: those that name an
//! option of the server, which stand there in every language, and the English ones of a deadlock.

use aurora_core::session::Trouble;
use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::mysql::MysqlConnection;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::manager::sealed::{Explained, Form};

/// The diagnostics cannot be selected, but stored. They stay in variables of the session that nobody
/// else uses; they are set anew each time.
const KEEP: &str = "SET @aurora_number = NULL, @aurora_state = NULL, @aurora_text = NULL";
const DIAGNOSE: &str = "GET DIAGNOSTICS CONDITION 1 @aurora_number = MYSQL_ERRNO, \
     @aurora_state = RETURNED_SQLSTATE, @aurora_text = MESSAGE_TEXT";
const TELL: &str = "SELECT CAST(@aurora_number AS SIGNED), CAST(@aurora_state AS CHAR), \
     CAST(@aurora_text AS CHAR), @@GLOBAL.innodb_rollback_on_timeout = 1";

/// What the server has told of its last error.
struct Told {
    number: u16,
    state: String,
    text: String,
    /// `innodb_rollback_on_timeout`.
    on_timeout: bool,
}

pub(super) fn explain(connection: &mut MysqlConnection, error: Error, form: Form) -> Explained {
    let as_it_is = |error| Explained { error, transaction_is_over: false };
    let Error::DatabaseError(kind, information) = &error else { return as_it_is(error) };
    match kind {
        // 1213.
        DatabaseErrorKind::SerializationFailure => {
            return Explained { error, transaction_is_over: true };
        }
        DatabaseErrorKind::Unknown => {}
        _ => return as_it_is(error),
    }
    let message = information.message().to_owned();
    match diagnose(connection) {
        Err(_) => as_it_is(changed(lost(&message, form), message)),
        Ok(told) => match told.filter(|told| is_same(&message, &told.text)) {
            Some(told) => {
                let Told { number, state, on_timeout, .. } = &told;
                let trouble = Trouble::of_mysql(*number, state, &message);
                Explained {
                    error: changed(kind_of(trouble, *number), message),
                    transaction_is_over: Trouble::ends_mysql_transaction(
                        *number,
                        state,
                        *on_timeout,
                    ),
                }
            }
            None => by_words(message),
        },
    }
}

/// Asks for the last error; `None` where none was kept.
fn diagnose(connection: &mut MysqlConnection) -> QueryResult<Option<Told>> {
    type Columns = (Nullable<BigInt>, Nullable<Text>, Nullable<Text>, Nullable<Bool>);
    type Answer = (Option<i64>, Option<String>, Option<String>, Option<bool>);
    // It leaves the variables alone when there is no condition.
    connection.batch_execute(DIAGNOSE)?;
    let (number, state, text, on_timeout): Answer = sql::<Columns>(TELL).get_result(connection)?;
    connection.batch_execute(KEEP)?;
    let number = number.and_then(|number| u16::try_from(number).ok());
    Ok(match (number, text) {
        (Some(number), Some(text)) => {
            let state = state.unwrap_or_default();
            Some(Told { number, state, text, on_timeout: on_timeout == Some(true) })
        }
        _ => None,
    })
}

/// MySQL keeps 128 characters of a message.
fn is_same(message: &str, kept: &str) -> bool {
    !kept.is_empty() && message.starts_with(kept)
}

/// The kind of error of a connection that is gone.
///
/// Both libraries say that the server "has gone away" when a message could not be sent (`CR_SERVER_GONE_ERROR`
/// is set by `mysql_reconnect` and `net_write_command` alone); so a query was not executed. Around a text
/// Diesel sends other messages, whose failure hides what became of the text.
fn lost(message: &str, form: Form) -> DatabaseErrorKind {
    // 1153: the server reads no further, and closes.
    let unsent = message.contains("has gone away") || message.contains("max_allowed_packet");
    match form {
        Form::Query if unsent => DatabaseErrorKind::UnableToSendCommand,
        Form::Query | Form::Text => DatabaseErrorKind::ClosedConnection,
    }
}

/// The kind that Diesel gives what it has the number of, and those that recovery goes by.
fn kind_of(trouble: Trouble, number: u16) -> DatabaseErrorKind {
    match trouble {
        Trouble::Conflict => DatabaseErrorKind::SerializationFailure,
        Trouble::Lost => DatabaseErrorKind::ClosedConnection,
        Trouble::NotSent => DatabaseErrorKind::UnableToSendCommand,
        Trouble::ReadOnly => DatabaseErrorKind::ReadOnlyTransaction,
        Trouble::Statement => match number {
            // ER_DUP_ENTRY and its like.
            1062 | 1586 | 1859 => DatabaseErrorKind::UniqueViolation,
            1216 | 1217 | 1451 | 1452 | 1830 | 1834 => DatabaseErrorKind::ForeignKeyViolation,
            1048 | 1364 => DatabaseErrorKind::NotNullViolation,
            // ER_CHECK_CONSTRAINT_VIOLATED, and MariaDB's ER_CONSTRAINT_FAILED.
            3819 | 4025 => DatabaseErrorKind::CheckViolation,
            _ => DatabaseErrorKind::Unknown,
        },
    }
}

fn by_words(message: String) -> Explained {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (kind, transaction_is_over) =
        if has(&["--read-only", "--super-read-only", "--innodb-read-only"])
            || has(&["Running in read-only mode", "InnoDB is in read only mode"])
        {
            (DatabaseErrorKind::ReadOnlyTransaction, false)
        } else if message.starts_with("Deadlock found when trying to get lock") {
            (DatabaseErrorKind::SerializationFailure, true)
        } else if has(&[
            "Commands out of sync",
            "Malformed packet",
            "Lost connection",
            "has gone away",
        ]) {
            // The library's own: nobody knows what the server did.
            (DatabaseErrorKind::ClosedConnection, false)
        } else {
            (DatabaseErrorKind::Unknown, false)
        };
    Explained { error: changed(kind, message), transaction_is_over }
}

fn changed(kind: DatabaseErrorKind, message: String) -> Error {
    Error::DatabaseError(kind, Box::new(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(error: Error) -> DatabaseErrorKind {
        match error {
            Error::DatabaseError(kind, _) => kind,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn only_a_query_that_could_not_be_sent_was_certainly_not_executed() {
        let gone = |form| lost("Server has gone away", form);
        assert!(matches!(gone(Form::Query), DatabaseErrorKind::UnableToSendCommand));
        assert!(matches!(gone(Form::Text), DatabaseErrorKind::ClosedConnection));
        let during = lost("Lost connection to server during query", Form::Query);
        assert!(matches!(during, DatabaseErrorKind::ClosedConnection));
    }

    #[test]
    fn without_diagnostics_the_words_decide() {
        let words = |text: &str| {
            let Explained { error, transaction_is_over } = by_words(text.to_owned());
            (format!("{:?}", kind(error)), transaction_is_over)
        };
        let german = "Der MariaDB-Server läuft mit der Option --read-only und kann diese Anweisung \
                      deswegen nicht ausführen";
        assert_eq!(words(german), ("ReadOnlyTransaction".to_owned(), false));
        let deadlock = "Deadlock found when trying to get lock; try restarting transaction";
        assert_eq!(words(deadlock), ("SerializationFailure".to_owned(), true));
        assert_eq!(words("Malformed packet"), ("ClosedConnection".to_owned(), false));
        assert_eq!(words("Unknown column 'a' in 'SELECT'"), ("Unknown".to_owned(), false));
    }
}
