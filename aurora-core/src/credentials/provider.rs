//! The trait of those who provide credentials, and what they provide.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::config::{Address, Secret};

/// Credentials, still to come.
pub type Providing<'a> =
    Pin<Box<dyn Future<Output = Result<Credentials, CredentialsError>> + Send + 'a>>;

/// A source of credentials that change: a vault, a token service, a file that is rewritten.
///
/// Given to [`ConfigBuilder::credentials`](crate::ConfigBuilder::credentials), it is asked on the
/// background runtime of the library (tokio, with timers and I/O), for every physical connection
/// of the cluster, those of the monitors among them. What it answers is kept:
///
/// * There is at most one question under way per cluster (or per address, see
///   [`CredentialsProvider::scope`]), and it is given up after 30 s.
/// * From [`Credentials::refresh_at`] on it is asked in the background, while connections go on
///   to use what is there; one that fails is tried again, at most every 30 s.
/// * When a server refuses the login (SQLSTATE class 28), it is asked at once. For
///   [`CredentialsProvider::rotation_window`] after that, credentials that used to work are tried
///   again and again, at growing intervals; then the login fails for good. Credentials that have
///   never worked fail for good at once.
/// * Open connections are left alone.
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, Credentials, CredentialsError, CredentialsProvider};
/// use aurora_core::{CredentialsRequest, Providing};
///
/// struct File(std::path::PathBuf);
///
/// impl CredentialsProvider for File {
///     fn provide<'a>(&'a self, _: CredentialsRequest<'a>) -> Providing<'a> {
///         Box::pin(async move {
///             let text = std::fs::read_to_string(&self.0);
///             let text = text.map_err(|error| CredentialsError::transient(error.to_string()))?;
///             Ok(Credentials::new(text.trim_end()))
///         })
///     }
///
///     fn describe(&self) -> String {
///         format!("the file {}", self.0.display())
///     }
/// }
///
/// let config = Config::builder()
///     .url("postgres://app@db1.example.com,db2.example.com/shop")
///     .credentials(File("/run/secrets/database".into()))
///     .build()?;
/// # drop(config);
/// # Ok::<(), aurora_core::Error>(())
/// ```
pub trait CredentialsProvider: Send + Sync + 'static {
    /// What to log in with.
    ///
    /// # Errors
    ///
    /// What kept it from answering, and what to do about it. The text is shown to users: never a
    /// secret in it.
    fn provide<'a>(&'a self, request: CredentialsRequest<'a>) -> Providing<'a>;

    /// Names the source in errors, as in "the secret `shop` in eu-west-1". Never a secret.
    fn describe(&self) -> String;

    /// Whether the same credentials are good everywhere. Default: in the whole cluster.
    fn scope(&self) -> CredentialsScope {
        CredentialsScope::Cluster
    }

    /// How long the server and this source may disagree while a password is changed. Default: not
    /// at all.
    fn rotation_window(&self) -> Duration {
        Duration::ZERO
    }
}

/// Where credentials are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialsScope {
    /// At one address: every instance has its own.
    Address,
    /// At every instance of the cluster.
    Cluster,
}

/// For whom credentials are asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CredentialsRequest<'a> {
    /// The address to connect to, as the topology names it: never a looked-up IP address.
    pub address: &'a Address,
    /// The user of the configuration; empty where it names none.
    pub user: &'a str,
    /// What the server has refused since it last accepted something: better not the same again.
    pub refused: &'a [Credentials],
}

/// A user, a password, and how long they are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: Secret,
    refresh_at: Option<Instant>,
    expires_at: Option<Instant>,
}

impl Credentials {
    /// A password for the user of the configuration, good until a server refuses it.
    #[must_use]
    pub fn new(password: impl Into<Secret>) -> Self {
        Self { user: None, password: password.into(), refresh_at: None, expires_at: None }
    }

    /// With a user of its own.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Asks for newer ones from `at` on, and uses these as long as there are none.
    ///
    /// Default: after 80 % of the time until [`Credentials::expires_at`], if there is one. Up to a
    /// tenth of the time is taken off by chance, so that not all processes ask at once.
    #[must_use]
    pub fn refresh_at(mut self, at: Instant) -> Self {
        self.refresh_at = Some(at);
        self
    }

    /// Never used for a login from `at` on. Connections that are open stay open.
    #[must_use]
    pub fn expires_at(mut self, at: Instant) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The user, if it is not that of the configuration.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// Whether a server cannot tell them apart.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.user == other.user && self.password == other.password
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// From when on newer ones are wanted; `chance` is between 0 and 1.
    pub(super) fn refresh_from(&self, now: Instant, chance: f64) -> Option<Instant> {
        let ahead = |at: Instant| at.saturating_duration_since(now);
        let after = match (self.refresh_at, self.expires_at) {
            (Some(at), _) => ahead(at),
            (None, Some(at)) => ahead(at) * 4 / 5,
            (None, None) => return None,
        };
        Some(now + after.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 10.0))
    }
}

/// Why there are no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialsError {
    message: String,
    is_transient: bool,
}

impl CredentialsError {
    /// It may pass: an answer that is late, a server that is overloaded or away.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_transient: true }
    }

    /// It stays until somebody changes something: access denied, nothing of that name.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_transient: false }
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsError")
            .field("message", &self.message)
            .field("is_transient", &self.is_transient)
            .finish()
    }
}

impl std::error::Error for CredentialsError {}
