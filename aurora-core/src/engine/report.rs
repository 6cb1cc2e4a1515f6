//! The facts the engine is told, as plain data.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Lineage;
use crate::config::Address;

/// What one instance answered to one probe: its word about itself, and what it says of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// The identity of the cluster (`system_identifier` on PostgreSQL).
    pub(crate) cluster: Option<Arc<str>>,
    /// The instance's own name where the server has one (Aurora).
    pub(crate) name: Option<Arc<str>>,
    /// Tells one run of one server process from every other one.
    pub(crate) server: Option<Arc<str>>,
    /// The address the monitor reached it at.
    pub(crate) ip: Option<IpAddr>,
    /// It says that it is the writer and that it takes writes.
    pub(crate) accepts_writes: bool,
    /// It follows no writer and takes no writes: a writer that somebody made read-only. What it
    /// holds changes no more.
    pub(crate) stands_still: bool,
    /// Which incarnation of the cluster it writes (PostgreSQL: the timeline).
    pub(crate) incarnation: Option<u64>,
    /// Which transactions it has, where no incarnation is written down.
    pub(crate) lineage: Option<Arc<Lineage>>,
    /// How far it has written, or replayed, the log.
    pub(crate) position: Option<u64>,
    /// How far behind it says it is.
    pub(crate) lag: Option<Duration>,
    /// What it says of other instances.
    pub(crate) members: Members,
}

/// What an instance says of the members of its cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Members {
    /// The complete list, by name (Aurora).
    Listed(Vec<Listed>),
    /// It could not say: missing privilege, missing function, nonsense.
    Refused(Arc<str>),
    /// Addresses where other members probably are (`pg_stat_replication`).
    Suggested(Vec<Address>),
    /// Nothing can be asked of this kind of server.
    #[default]
    Unlisted,
}

/// One row of the topology that an Aurora instance answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) name: Arc<str>,
    pub(crate) is_writer: bool,
}

/// Why a probe got no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProbeFailure {
    pub(crate) kind: FailureKind,
    pub(crate) message: Arc<str>,
}

/// The kinds of probe failure that the engine treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FailureKind {
    /// The server refused the credentials.
    Authentication,
    /// There are no credentials to log in with: the server was not asked.
    Credentials,
    /// The server is there but starting, stopping or recovering (57P03).
    NotReady,
    /// Anything else that answered with an error.
    Other,
    /// The user lacks a privilege.
    Privilege,
    /// The connection was refused: nobody listens.
    Refused,
    /// The established connection broke.
    Reset,
    /// No answer within the deadline.
    Silent,
    /// TLS could not be agreed on, or the certificate was not accepted.
    Tls,
    /// The server has no connection slot left (53300): it is alive.
    TooManyConnections,
}

impl FailureKind {
    /// Whether a live server answered, and will give the same answer until something changes.
    pub(super) fn is_answer(self) -> bool {
        match self {
            Self::Authentication | Self::Privilege | Self::Tls | Self::TooManyConnections => true,
            Self::Credentials
            | Self::NotReady
            | Self::Other
            | Self::Refused
            | Self::Reset
            | Self::Silent => false,
        }
    }
}

/// What an adapter saw go wrong on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Complaint {
    /// A connection broke, or none could be made.
    ConnectionLost,
    /// A write was refused because the instance is read-only, or its role is not the expected one.
    WrongRole,
}
