//! What can go wrong while a cluster is built or disturbed.

use std::io;
use std::time::Duration;

/// Why the kit could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// A program the kit needs is not on this machine.
    #[error("{program} was not found: install the Debian package `{package}`")]
    MissingProgram {
        /// The program that was looked for.
        program: String,
        /// The Debian package that ships it.
        package: &'static str,
    },
    /// No free loopback network was found.
    #[error("no 127.x.y.0/24 network has port {port} free: choose another port")]
    NoAddress {
        /// The port every instance would have listened on.
        port: u16,
    },
    /// Something did not happen in time.
    #[error("{what}: not done within {limit:?}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long the kit waited.
        limit: Duration,
    },
    /// A file or process operation failed.
    #[error("{action}: {source}")]
    Io {
        /// What the kit was doing.
        action: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A program or server ended with an error; `detail` is the end of its output.
    #[error("{action}: {detail}")]
    Failed {
        /// What the kit was doing.
        action: String,
        /// The last lines the program wrote.
        detail: String,
    },
    /// A connection or a query of the kit failed.
    #[error("{action}: {source}")]
    Sql {
        /// What the kit was doing.
        action: String,
        /// The driver's answer.
        source: postgres::Error,
    },
    /// A connection or a query to MariaDB failed.
    #[error("{action}: {source}")]
    MySql {
        /// What was asked of the server.
        action: String,
        /// The driver's answer.
        source: mysql_async::Error,
    },
    /// The verb makes no sense in the present state of the cluster.
    #[error("instance {index}: {problem}")]
    Misuse {
        /// The instance the verb was called with.
        index: usize,
        /// Why the verb cannot be carried out.
        problem: String,
    },
}

impl KitError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    pub(crate) fn sql(action: impl Into<String>) -> impl FnOnce(postgres::Error) -> Self {
        let action = action.into();
        move |source| Self::Sql { action, source }
    }

    pub(crate) fn mysql(action: impl Into<String>) -> impl FnOnce(mysql_async::Error) -> Self {
        let action = action.into();
        move |source| Self::MySql { action, source }
    }

    /// The number of MariaDB's error, if it was the server that answered with one.
    #[must_use]
    pub fn mysql_errno(&self) -> Option<u16> {
        match self {
            Self::MySql { source: mysql_async::Error::Server(error), .. } => Some(error.code),
            _ => None,
        }
    }

    pub(crate) fn misuse(index: usize, problem: impl Into<String>) -> Self {
        Self::Misuse { index, problem: problem.into() }
    }
}
