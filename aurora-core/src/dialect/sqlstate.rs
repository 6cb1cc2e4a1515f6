//! What PostgreSQL's error codes mean. The only place where codes stand.
//!
//! Source: PostgreSQL documentation, appendix A; aurora.md 3.4 for how other drivers group them.

use crate::engine::FailureKind;
use crate::error::ErrorKind;

/// What a SQLSTATE means for a monitor, and for the user who meets it.
pub(crate) fn classify_sqlstate(code: &str) -> (FailureKind, ErrorKind) {
    match code {
        // invalid_password, invalid_authorization_specification, invalid_catalog_name.
        "28P01" | "28000" | "3D000" => (FailureKind::Authentication, ErrorKind::Authentication),
        // insufficient_privilege: may not connect, or may not ask.
        "42501" => (FailureKind::Privilege, ErrorKind::Privilege),
        // too_many_connections.
        "53300" => (FailureKind::TooManyConnections, ErrorKind::TooManyConnections),
        // cannot_connect_now: starting, stopping or recovering.
        "57P03" => (FailureKind::NotReady, ErrorKind::ConnectionLost),
        // admin_shutdown, crash_shutdown, database_dropped, idle_session_timeout.
        "57P01" | "57P02" | "57P04" | "57P05" => (FailureKind::Reset, ErrorKind::ConnectionLost),
        // read_only_sql_transaction.
        "25006" => (FailureKind::Other, ErrorKind::ReadOnly),
        code if code.starts_with("08") => (FailureKind::Reset, ErrorKind::ConnectionLost),
        _ => (FailureKind::Other, ErrorKind::Statement),
    }
}

/// Whether a SQLSTATE says that the server does not let the user in with what it was given:
/// invalid_password, invalid_authorization_specification (of PAM and IAM, of a role that is gone).
pub(crate) fn refuses_login(code: &str) -> bool {
    matches!(code, "28P01" | "28000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_grouped_by_what_to_do() {
        let kind = |code| classify_sqlstate(code).1;
        assert_eq!(kind("28P01"), ErrorKind::Authentication);
        assert_eq!(kind("3D000"), ErrorKind::Authentication);
        assert_eq!(kind("53300"), ErrorKind::TooManyConnections);
        assert_eq!(kind("57P03"), ErrorKind::ConnectionLost);
        assert_eq!(kind("08006"), ErrorKind::ConnectionLost);
        assert_eq!(kind("25006"), ErrorKind::ReadOnly);
        // Internal errors are no reason for a failover (a lesson of the JDBC wrapper).
        assert_eq!(kind("XX000"), ErrorKind::Statement);
    }
}
