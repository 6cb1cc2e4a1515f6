//! What the error numbers of MySQL and MariaDB mean. The only place where numbers stand.
//!
//! Sources: MySQL manual, "Server Error Message Reference"; MariaDB, "Error Codes"; aurora.md 3.4
//! for how other drivers group them.

use crate::engine::FailureKind;
use crate::error::ErrorKind;
use crate::session::Trouble;

/// What an error of the server means for a monitor, and for the user who meets it.
///
/// The number decides, then the SQLSTATE. The words decide only where one number stands for
/// everything that an option of the server can forbid (1290): the option is named in them, in every
/// language.
pub(crate) fn classify_errno(number: u16, state: &str, message: &str) -> (FailureKind, ErrorKind) {
    match number {
        // Access denied, for the user (1045, 1698) or the database (1044); unknown database; this
        // client may not connect; the password has expired; the account is locked (MySQL, MariaDB).
        1044 | 1045 | 1049 | 1129 | 1130 | 1698 | 1820 | 1862 | 3118 | 4151 => {
            (FailureKind::Authentication, ErrorKind::Authentication)
        }
        // Not granted: on a table, a column, a routine, or in general.
        1142 | 1143 | 1227 | 1370 => (FailureKind::Privilege, ErrorKind::Privilege),
        // The server is full, or this user's share of it.
        1040 | 1203 | 1226 => (FailureKind::TooManyConnections, ErrorKind::TooManyConnections),
        // ER_SECURE_TRANSPORT_REQUIRED.
        3159 => (FailureKind::Tls, ErrorKind::Tls),
        // ER_OPTION_PREVENTS_STATEMENT.
        1290 if ["read-only", "read_only"].iter().any(|option| message.contains(option)) => {
            (FailureKind::Other, ErrorKind::ReadOnly)
        }
        // ER_READ_ONLY_MODE, ER_INNODB_READ_ONLY, and in a READ ONLY transaction.
        1792 | 1836 | 1874 => (FailureKind::Other, ErrorKind::ReadOnly),
        // Shutting down, killed, broken on the way, idle for too long; and what the client library
        // says of a connection that is gone.
        1053 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 2055 | 4031 => {
            (FailureKind::Reset, ErrorKind::ConnectionLost)
        }
        // The client library could not connect.
        2002 | 2003 => (FailureKind::Refused, ErrorKind::ConnectionLost),
        // WSREP: the instance has not prepared for use yet.
        1047 if state == "08S01" => (FailureKind::NotReady, ErrorKind::ConnectionLost),
        _ if state.starts_with("08") => (FailureKind::Reset, ErrorKind::ConnectionLost),
        // Also what passes when it is tried again (1205, 1213) or was given up (1317, 1969, 3024).
        _ => (FailureKind::Other, ErrorKind::Statement),
    }
}

/// Whether the server does not let the user in with what it was given: another password may help.
pub(crate) fn refuses_login(number: u16) -> bool {
    matches!(number, 1045 | 1698 | 1862)
}

/// What an error of the server means for the statement that met it.
pub(crate) fn classify_trouble(number: u16, state: &str, message: &str) -> Trouble {
    match number {
        // Said of an idle connection that had been closed (4031), or instead of executing (1047).
        4031 => Trouble::NotSent,
        1047 if state == "08S01" => Trouble::NotSent,
        // Deadlock; lock wait timeout; MariaDB: the record has changed since it was read; XA: timeout
        // or deadlock; MySQL: another member of the group was first.
        1020 | 1205 | 1213 | 1613 | 1614 | 3101 => Trouble::Conflict,
        // The class of serialization failures.
        _ if state == "40001" => Trouble::Conflict,
        _ => match classify_errno(number, state, message).1 {
            ErrorKind::ConnectionLost => Trouble::Lost,
            ErrorKind::ReadOnly => Trouble::ReadOnly,
            _ => Trouble::Statement,
        },
    }
}

/// Whether the server has rolled back all of the transaction in which a statement met this error:
/// what comes after it would be committed by itself, one statement at a time.
///
/// `on_timeout` is the server's `innodb_rollback_on_timeout`. InnoDB rolls back for a deadlock
/// (1213), a full lock table (1206), and in MariaDB where a snapshot was overtaken (1020); XA and
/// group replication say so with numbers of their own. Every other error undoes its statement alone
/// (MySQL manual, "InnoDB Error Handling").
pub(crate) fn ends_transaction(number: u16, state: &str, on_timeout: bool) -> bool {
    match number {
        1205 => on_timeout,
        1020 | 1206 | 1213 | 1402 | 1613 | 1614 | 3101 => true,
        // transaction_rollback.
        _ => state.starts_with("40"),
    }
}
