//! What the error numbers of MySQL and MariaDB mean. The only place where numbers stand.
//!
//! Sources: MySQL manual, "Server Error Message Reference"; MariaDB, "Error Codes"; aurora.md 3.4
//! for how other drivers group them.

use crate::engine::FailureKind;
use crate::error::ErrorKind;

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
