//! The kinds of failure, and what each of them means.

use super::Outcome;

/// What kind of failure an [`Error`](super::Error) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused the user name, password, certificate or database.
    Authentication,
    /// The cluster handle was closed.
    Closed,
    /// The configuration is wrong; the message lists every problem found.
    Configuration,
    /// The connection broke, or could not be made.
    ConnectionLost,
    /// No credentials could be had in time; nothing was asked of a server.
    Credentials,
    /// The deadline passed.
    Deadline,
    /// What a causal token stands for may have been lost in a failover.
    HistoryLost,
    /// No instance that may serve reads was found before the deadline.
    NoReader,
    /// No writer was found before the deadline.
    NoWriter,
    /// The server lacks a privilege or a function that is needed.
    Privilege,
    /// An instance refused a write because it is, or became, a reader.
    ReadOnly,
    /// The server answered something that cannot be understood.
    Protocol,
    /// The server reported an error about the statement itself.
    Statement,
    /// TLS could not be set up.
    Tls,
    /// The server has no connection slot left.
    TooManyConnections,
    /// The instance is not known to the cluster.
    UnknownInstance,
    /// The instance, or the token, belongs to another cluster.
    WrongCluster,
}

impl ErrorKind {
    /// What an error of a MySQL or MariaDB server means: its number, its SQLSTATE and its words.
    ///
    /// The words decide only where a number stands for everything that an option can forbid (1290).
    ///
    /// ```
    /// use aurora_core::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::of_mysql(1836, "HY000", "Running in read-only mode"), ErrorKind::ReadOnly);
    /// assert_eq!(ErrorKind::of_mysql(2013, "HY000", "Lost connection"), ErrorKind::ConnectionLost);
    /// ```
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn of_mysql(number: u16, state: &str, message: &str) -> Self {
        crate::dialect::mysql::classify_errno(number, state, message).1
    }

    /// Whether a MySQL or MariaDB server says with this number that it does not let the user in with
    /// what it was given: another password may help.
    #[cfg(feature = "mysql")]
    #[must_use]
    pub fn mysql_refuses_login(number: u16) -> bool {
        crate::dialect::mysql::refuses_login(number)
    }

    /// Whether a write that failed in this way was applied, when nothing more is known.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::ConnectionLost | Self::Protocol => Outcome::Unknown,
            Self::Authentication
            | Self::Closed
            | Self::Configuration
            | Self::Credentials
            | Self::Deadline
            | Self::HistoryLost
            | Self::NoReader
            | Self::NoWriter
            | Self::Privilege
            | Self::ReadOnly
            | Self::Statement
            | Self::Tls
            | Self::TooManyConnections
            | Self::UnknownInstance
            | Self::WrongCluster => Outcome::NotApplied,
        }
    }

    /// Whether the failure may pass by itself.
    pub(super) fn is_transient(self) -> bool {
        match self {
            Self::ConnectionLost
            | Self::Credentials
            | Self::Deadline
            | Self::NoReader
            | Self::NoWriter
            | Self::Protocol
            | Self::ReadOnly
            | Self::TooManyConnections => true,
            Self::Authentication
            | Self::Closed
            | Self::Configuration
            | Self::HistoryLost
            | Self::Privilege
            | Self::Statement
            | Self::Tls
            | Self::UnknownInstance
            | Self::WrongCluster => false,
        }
    }

    /// The kind in words, as [`Error`](super::Error) prints it when it has no better message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "the server refused the credentials",
            Self::Closed => "the cluster handle is closed",
            Self::Configuration => "the configuration is wrong",
            Self::ConnectionLost => "the connection was lost",
            Self::Credentials => "no credentials could be had",
            Self::Deadline => "the deadline passed",
            Self::HistoryLost => "what the token stands for may have been lost in a failover",
            Self::NoReader => "no reader is available",
            Self::NoWriter => "no writer is available",
            Self::Privilege => "a privilege is missing",
            Self::ReadOnly => "the instance is read-only",
            Self::Protocol => "the server's answer could not be understood",
            Self::Statement => "the statement failed",
            Self::Tls => "TLS could not be set up",
            Self::TooManyConnections => "the server has no connection slot left",
            Self::UnknownInstance => "the instance is not known",
            Self::WrongCluster => "the instance belongs to another cluster",
        }
    }
}
