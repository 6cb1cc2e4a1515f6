//! Why a probe got no answer, for the engine and for the user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Address;
#[cfg(feature = "mysql")]
use crate::dialect::mysql;
use crate::dialect::{Garbage, classify_sqlstate, refuses_login};
use crate::engine::{FailureKind, ProbeFailure};
use crate::error::{Error, ErrorKind, Outcome};

/// A failed probe.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    message: String,
    is_certain: bool,
    /// The server did not let us in: another password may help.
    refuses_login: bool,
    /// The server answered so to a statement; the connection is good.
    #[cfg(feature = "mysql")]
    is_statements: bool,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            is_certain: false,
            refuses_login: false,
            #[cfg(feature = "mysql")]
            is_statements: false,
        }
    }

    pub(crate) fn silent(address: &Address, timeout: Duration) -> Self {
        Self::new(FailureKind::Silent, format!("{address} did not answer within {timeout:?}"))
    }

    pub(crate) fn from_io(error: &io::Error, doing: &str) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => FailureKind::Refused,
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof => FailureKind::Reset,
            io::ErrorKind::TimedOut => FailureKind::Silent,
            // The enum of the standard library is open.
            _ => FailureKind::Other,
        };
        Self::new(kind, format!("{doing}: {error}"))
    }

    /// Whether the other tries of a probe need not be waited for: that nobody listens is certain,
    /// and when the session breaks that was there before, so did what else was open, which the
    /// answer of a new session would hide. Any other failure may be this try's own.
    pub(crate) fn settles(&self, is_new_session: bool) -> bool {
        match self.kind {
            _ if self.is_certain => true,
            FailureKind::Refused => true,
            FailureKind::Reset => !is_new_session,
            FailureKind::Authentication
            | FailureKind::Credentials
            | FailureKind::NotReady
            | FailureKind::Other
            | FailureKind::Privilege
            | FailureKind::Silent
            | FailureKind::Tls
            | FailureKind::TooManyConnections => false,
        }
    }

    /// There is no login to be had.
    pub(crate) fn no_login(error: &Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Credentials => FailureKind::Credentials,
            // Refused for good, or never to be had.
            _ => FailureKind::Authentication,
        };
        Self::new(kind, error.message()).for_certain()
    }

    /// Whether the server refused the login, and may take another one.
    pub(crate) fn refuses_login(&self) -> bool {
        self.refuses_login
    }

    /// What happened, in words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Nobody listens at the address.
    pub(crate) fn is_refusal(&self) -> bool {
        self.kind == FailureKind::Refused
    }

    /// Says that no other try can fare better.
    pub(crate) fn for_certain(self) -> Self {
        Self { is_certain: true, ..self }
    }

    /// What is wrong with the topology, when it is the statement that the server could not
    /// execute: the connection is good, and something less may be asked.
    pub(super) fn fault_of_topology(&self) -> Option<String> {
        let Self { kind, message, .. } = self;
        match kind {
            FailureKind::Privilege => Some(format!(
                "the topology may not be seen: {message}; GRANT EXECUTE on that function to the user of the URL"
            )),
            FailureKind::Other => Some(format!("the topology cannot be read: {message}")),
            FailureKind::Authentication
            | FailureKind::Credentials
            | FailureKind::NotReady
            | FailureKind::Refused
            | FailureKind::Reset
            | FailureKind::Silent
            | FailureKind::Tls
            | FailureKind::TooManyConnections => None,
        }
    }

    /// What a server of MySQL answered instead.
    #[cfg(feature = "mysql")]
    pub(super) fn of_mysql(number: u16, state: &str, message: &str) -> Self {
        let (kind, _) = mysql::classify_errno(number, state, message);
        let failure = Self::new(kind, format!("{message} ({number}, {state})"));
        let is_statements = matches!(kind, FailureKind::Other | FailureKind::Privilege);
        Self { refuses_login: mysql::refuses_login(number), is_statements, ..failure }
    }

    /// A failure of the socket, or of TLS on it.
    #[cfg(feature = "mysql")]
    pub(super) fn of_socket(error: &io::Error, doing: &str) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(refused) => Self::new(FailureKind::Tls, refused_tls(refused)),
            None => Self::from_io(error, doing),
        }
    }

    /// What the driver of MySQL says.
    #[cfg(feature = "mysql")]
    pub(crate) fn of_mysql_driver(error: &mysql_async::Error) -> Self {
        use mysql_async::{DriverError, Error as Driver, IoError};
        let kind = match error {
            Driver::Server(answer) => {
                return Self::of_mysql(answer.code, &answer.state, &answer.message);
            }
            Driver::Io(IoError::Io(error)) => return Self::of_socket(error, "connection"),
            Driver::Io(IoError::Tls(_)) | Driver::Driver(DriverError::CleartextPluginDisabled) => {
                FailureKind::Tls
            }
            Driver::Driver(DriverError::NoClientSslFlagFromServer) => {
                return Self::new(FailureKind::Tls, NO_TLS);
            }
            Driver::Driver(
                DriverError::UnknownAuthPlugin { .. } | DriverError::MysqlOldPasswordDisabled,
            ) => FailureKind::Authentication,
            Driver::Driver(DriverError::ConnectionClosed) => FailureKind::Reset,
            // The enums are open.
            Driver::Driver(_) | Driver::Other(_) | Driver::Url(_) => FailureKind::Other,
        };
        Self::new(kind, error.to_string())
    }

    /// Whether a live server would not execute a statement; the connection is good.
    #[cfg(feature = "mysql")]
    pub(super) fn is_refusal_of_statement(&self) -> bool {
        self.is_statements
    }

    /// Whatever ended an established connection, the connection is gone.
    pub(super) fn into_reset(self) -> Self {
        Self::new(FailureKind::Reset, self.message)
    }

    /// What an adapter's caller needs to know of it: nothing was sent yet.
    pub(crate) fn into_error(self) -> Error {
        let kind = match self.kind {
            FailureKind::Authentication => ErrorKind::Authentication,
            FailureKind::Credentials => ErrorKind::Credentials,
            FailureKind::Privilege => ErrorKind::Privilege,
            FailureKind::Tls => ErrorKind::Tls,
            FailureKind::TooManyConnections => ErrorKind::TooManyConnections,
            FailureKind::NotReady
            | FailureKind::Other
            | FailureKind::Refused
            | FailureKind::Reset
            | FailureKind::Silent => ErrorKind::ConnectionLost,
        };
        Error::new(kind, self.message).with_outcome(Outcome::NotApplied)
    }

    /// What the engine needs to know of it.
    pub(crate) fn into_probe_failure(self) -> ProbeFailure {
        ProbeFailure { kind: self.kind, message: Arc::from(self.message) }
    }
}

impl From<Garbage> for Failure {
    fn from(garbage: Garbage) -> Self {
        Self::new(FailureKind::Other, garbage.0)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            let code = refusal.code().code();
            let (kind, _) = classify_sqlstate(code);
            let failure = Self::new(kind, format!("{} ({code})", refusal.message()));
            return Self { refuses_login: refuses_login(code), ..failure };
        }
        if error.is_closed() {
            return Self::new(FailureKind::Reset, "the connection is closed");
        }
        let cause = std::error::Error::source(&error);
        if let Some(message) = tls_message(&error, cause) {
            return Self::new(FailureKind::Tls, message);
        }
        if let Some(io) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            return Self::from_io(io, "connection");
        }
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::new(FailureKind::Other, format!("{error}{cause}"))
    }
}

/// What to say of a server without TLS where it must be.
pub(super) const NO_TLS: &str =
    "the server does not support TLS: enable it there, or set sslmode=prefer";

/// What to say when TLS cannot be agreed on.
fn refused_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => format!(
            "the server's certificate is not accepted ({why}): set sslrootcert to the PEM file of its authority (Amazon RDS: `rds`), and connect by the name in the certificate"
        ),
        // The enum is open.
        other => format!("TLS failed: {other}"),
    }
}

/// What to say of a failure of TLS, if it is one.
fn tls_message(
    error: &tokio_postgres::Error,
    cause: Option<&(dyn std::error::Error + 'static)>,
) -> Option<String> {
    let cause = cause?;
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let refused = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match refused {
        Some(refused) => Some(refused_tls(refused)),
        // The driver gives no kind for this one, only words.
        None if cause.to_string().contains("does not support TLS") => Some(NO_TLS.to_owned()),
        None => error.to_string().contains("TLS handshake").then(|| format!("TLS failed: {cause}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_breaks_is_not_hidden_by_the_answer_of_another() {
        let settles = |kind, is_new| Failure::new(kind, "").settles(is_new);
        assert!(settles(FailureKind::Reset, false));
        assert!(!settles(FailureKind::Reset, true), "a connect may fail by itself");
        assert!(settles(FailureKind::Refused, true));
        assert!(!settles(FailureKind::NotReady, false));
    }
}
