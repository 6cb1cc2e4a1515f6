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

/// Which protocol the servers speak. The scheme of the URL says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// PostgreSQL and what is made of it: `postgres://`, `postgresql://`.
    #[default]
    Postgres,
    /// MySQL, MariaDB and what is made of them: `mysql://`, `mariadb://`.
    MySql,
}

impl Family {
    /// The family of a URL with this scheme.
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            _ => None,
        }
    }

    /// The scheme of its URLs.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// The port its servers listen at unless told otherwise, as IANA assigned it.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }
}

/// Which kind of server the cluster consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialectChoice {
    /// Amazon Aurora MySQL: the servers know the topology.
    AuroraMySql,
    /// Ask the server.
    Auto,
    /// Amazon Aurora PostgreSQL: the servers know the topology.
    AuroraPostgres,
    /// MariaDB with GTID replication: the URL lists the instances.
    MariaDb,
    /// MySQL with replication: the URL lists the instances.
    MySql,
    /// PostgreSQL with streaming replication: the URL lists the instances.
    Postgres,
    /// One server without replication, or a proxy that hides its instances.
    Single,
}

impl DialectChoice {
    /// The family of its servers; none where it may be any.
    pub(super) fn family(self) -> Option<Family> {
        match self {
            Self::AuroraMySql | Self::MariaDb | Self::MySql => Some(Family::MySql),
            Self::AuroraPostgres | Self::Postgres => Some(Family::Postgres),
            Self::Auto | Self::Single => None,
        }
    }
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
