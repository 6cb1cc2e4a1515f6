//! What went wrong, whether it may be tried again, and whether a write was applied.

// A new kind must not compile until somebody has said what it means.
#![warn(clippy::wildcard_enum_match_arm)]

mod kind;

use std::fmt;

pub use self::kind::ErrorKind;
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
mod tests;
