//! What went wrong, whether it may be tried again, and whether a write was applied.

// A new kind must not compile until somebody has said what it means.
#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;

use crate::topology::InstanceId;

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The error of this crate: a closed [`ErrorKind`], the instance it happened on, and the cause.
///
/// [`Error::retry`] and [`Error::outcome`] answer the two questions an application has to ask
/// before it runs a statement again.
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, ErrorKind, Outcome};
///
/// let error = Config::from_url("postgres://app@/shop").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Configuration);
/// assert_eq!(error.outcome(), Outcome::NotApplied);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    instance: Option<InstanceId>,
    outcome: Option<Outcome>,
    cause: Option<Cause>,
}

/// What kind of failure an [`Error`] is.
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

/// Whether a failed write has been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server executed it.
    Applied,
    /// It was certainly not applied.
    NotApplied,
    /// The connection was lost when the server may already have applied it.
    Unknown,
}

/// Whether running the same operation again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It was not applied: run it again once the topology has changed or a moment has passed.
    AfterTopologyChange,
    /// It may have been applied: run it again only if doing so twice does no harm.
    IfIdempotent,
    /// It will fail again until somebody changes something.
    Never,
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
    fn is_transient(self) -> bool {
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

    /// The kind in words, as [`Error`] prints it when it has no better message.
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

impl Error {
    /// Makes an error of `kind` with a message that should name the remedy.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            instance: None,
            outcome: None,
            cause: None,
        }))
    }

    /// Names the instance the error happened on.
    #[must_use]
    pub fn on(mut self, instance: impl Into<InstanceId>) -> Self {
        self.0.instance = Some(instance.into());
        self
    }

    /// Says what is known about the outcome, where it differs from [`ErrorKind::outcome`].
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    /// Attaches the cause, reachable through [`std::error::Error::source`].
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without the instance and without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The instance it happened on, where there is one.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        self.0.instance.as_ref()
    }

    /// Whether the write was applied.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome.unwrap_or_else(|| self.0.kind.outcome())
    }

    /// Whether running the operation again makes sense.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.outcome() {
            Outcome::Unknown => Retry::IfIdempotent,
            Outcome::NotApplied if self.0.kind.is_transient() => Retry::AfterTopologyChange,
            Outcome::NotApplied | Outcome::Applied => Retry::Never,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.message.is_empty() {
            f.write_str(self.0.kind.as_str())?;
        } else {
            f.write_str(&self.0.message)?;
        }
        if let Some(instance) = &self.0.instance {
            write!(f, " (instance {instance})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("instance", &self.0.instance)
            .field("outcome", &self.outcome())
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_unknown_and_retried_only_if_idempotent() {
        let error = Error::new(ErrorKind::ConnectionLost, "gone").on("n1");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(error.retry(), Retry::IfIdempotent);
        assert_eq!(error.to_string(), "gone (instance n1)");
    }

    #[test]
    fn an_outcome_that_is_known_wins_over_the_kind() {
        let error = Error::new(ErrorKind::ConnectionLost, "").with_outcome(Outcome::NotApplied);
        assert_eq!(error.retry(), Retry::AfterTopologyChange);
        assert_eq!(error.to_string(), "the connection was lost");
    }

    #[test]
    fn wrong_credentials_are_never_retried() {
        assert_eq!(Error::new(ErrorKind::Authentication, "").retry(), Retry::Never);
    }
}
