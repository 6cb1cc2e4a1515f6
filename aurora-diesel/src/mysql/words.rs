//! What servers and client libraries say when there is no connection.
//!
//! Diesel passes their words on, and no number. The libraries' own are English; a server's are those
//! of its `lc_messages`, and with other ones than English a connect is tried until the deadline. The
//! monitors go by numbers.
//!
//! Sources: `errmsg-utf8.txt` of MariaDB 10.11 and the message reference of MySQL 8.4 (1040, 1044, 1045,
//! 1049, 1129, 1130, 1203, 1226, 1698, 1862, 3118, 3159, 4151); `errmsg.c` of both libraries.

use aurora_core::ErrorKind;
use diesel::result::{DatabaseErrorKind, Error};

const NOT_ENCRYPTED: &str =
    "TLS/SSL error: the connection is not encrypted, and sslmode asks for it";

/// The error for a connection that the library made without TLS.
pub(super) fn not_encrypted() -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(NOT_ENCRYPTED.to_owned()))
}

/// Another password may help.
pub(super) fn refuses_login(message: &str) -> bool {
    message.starts_with("Access denied for user") && !message.contains("to database")
        || message.contains("password has expired")
}

pub(super) fn refusal(message: &str) -> Option<ErrorKind> {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["Too many connections", "max_user_connections", "has exceeded the '"]) {
        return Some(ErrorKind::TooManyConnections);
    }
    if has(&[
        "Access denied for user",
        "Unknown database",
        "is not allowed to connect to this",
        "is blocked because of many connection errors",
        "password has expired",
        "account is locked",
        "Account is blocked",
    ]) {
        return Some(ErrorKind::Authentication);
    }
    if has(&["TLS/SSL error", "SSL connection error", "insecure transport are prohibited"]) {
        return Some(ErrorKind::Tls);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_servers_are_told_apart() {
        for (words, kind) in [
            ("Too many connections", Some(ErrorKind::TooManyConnections)),
            (
                "User 'app' has exceeded the 'max_connections_per_hour' resource (current value: 1)",
                Some(ErrorKind::TooManyConnections),
            ),
            (
                "Access denied for user 'app'@'::1' (using password: YES)",
                Some(ErrorKind::Authentication),
            ),
            ("Unknown database 'nope'", Some(ErrorKind::Authentication)),
            ("TLS/SSL error: certificate verify failed", Some(ErrorKind::Tls)),
            (NOT_ENCRYPTED, Some(ErrorKind::Tls)),
            ("Can't connect to server on '127.0.0.1' (115)", None),
        ] {
            assert_eq!(refusal(words), kind, "{words}");
        }
        assert!(refuses_login("Access denied for user 'a'@'b' (using password: YES)"));
        assert!(!refuses_login("Access denied for user 'a'@'%' to database 'nope'"));
    }
}
