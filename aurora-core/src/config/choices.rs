//! The values an option is chosen from.

use std::path::PathBuf;
use std::time::Duration;

/// Whether connections are encrypted and what is verified, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server offers it; nothing is verified.
    Prefer,
    /// Always encrypted; nothing is verified, so an impostor is not noticed.
    Require,
    /// Always encrypted; the certificate must come from a trusted authority.
    VerifyCa,
    /// Always encrypted; the certificate must come from a trusted authority and name the host.
    VerifyFull,
}

impl TlsMode {
    /// Whether the server's certificate is verified at all.
    #[must_use]
    pub fn verifies(self) -> bool {
        match self {
            Self::VerifyCa | Self::VerifyFull => true,
            Self::Disable | Self::Prefer | Self::Require => false,
        }
    }
}

/// Where user and password of a login come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// The configuration, or a provider given to
    /// [`ConfigBuilder::credentials`](crate::ConfigBuilder::credentials).
    Password,
    /// Tokens of IAM database authentication (feature `iam`).
    Iam,
    /// A secret in AWS Secrets Manager (feature `secrets-manager`).
    SecretsManager,
}

/// The certificate authorities that are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RootCertificates {
    /// The authorities of Amazon RDS, which are built in, and with `verify-full` also those the
    /// operating system trusts (RDS Proxy has certificates of these).
    Rds,
    /// The authorities the operating system trusts; those of Amazon RDS are not among them.
    System,
    /// The authorities in this PEM file, such as the bundle Amazon publishes for RDS.
    File(PathBuf),
}

impl From<PathBuf> for RootCertificates {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// Which kind of server the cluster consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialectChoice {
    /// Ask the server.
    Auto,
    /// Amazon Aurora PostgreSQL: the servers know the topology.
    AuroraPostgres,
    /// PostgreSQL with streaming replication: the URL lists the instances.
    Postgres,
    /// One server without replication, or a proxy that hides its instances.
    Single,
}

/// How recent the data must be that a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// Not older than this.
    Bounded(Duration),
    /// However old.
    Eventual,
    /// Everything the same session wrote before: read your writes.
    Session,
    /// Everything committed before: the writer.
    Strong,
}

/// How a reader is chosen among those that may serve a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyKind {
    /// The one with the fewest connections in use.
    LeastConnections,
    /// Any, each as likely as the other.
    Random,
    /// One after the other.
    RoundRobin,
}

/// What a call of a function says about a statement when nothing is known of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownFunctions {
    /// The statement may still be a read.
    Read,
    /// The statement is a write.
    Write,
}
