//! How an application says what to connect to and how: a URL, the environment, or a builder.

mod address;
mod builder;
mod choices;
mod env;
mod libpq;
mod options;
mod problems;
mod secret;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod validate;
mod value;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "rds-api")]
use aws_credential_types::provider::SharedCredentialsProvider;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use address::Address;
pub(crate) use address::{host_problem, parse_port};
pub use builder::ConfigBuilder;
pub use choices::{
    AuthMethod, DialectChoice, Family, Freshness, PolicyKind, RootCertificates, TlsMode,
    UnknownFunctions,
};
pub use secret::Secret;

use crate::credentials::CredentialsProvider;
use crate::error::Error;
use crate::names::Resolve;
use options::{OPTIONS, Settings, Values};

/// The configuration of a cluster: immutable, checked, and cheap to clone.
///
/// Made from a URL, from the environment, or with [`Config::builder`]. Everything is checked
/// once, when it is made, and one error lists all that is wrong.
///
/// A URL is written `postgres://user:password@host:port,host:port/database?option=value`. What
/// stands in it is percent-encoded, an IPv6 address is put in brackets, and the port is 5432
/// where there is none. For MySQL and MariaDB it begins with `mysql://` or `mariadb://`, and the
/// port is 3306. Durations have a unit: `500ms`, `2s`, `1m`, `1h`.
///
/// # Options
///
#[doc = include_str!("OPTIONS.md")]
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, Freshness};
/// use std::time::Duration;
///
/// let config = Config::from_url(
///     "postgres://app:hunter2@db1.example.com,db2.example.com:5433/shop?connect_timeout=500ms",
/// )?;
/// assert_eq!(config.addresses()[1].to_string(), "db2.example.com:5433");
/// assert_eq!(config.connect_timeout(), Duration::from_millis(500));
/// assert_eq!(config.freshness(), Freshness::Session);
/// assert!(!format!("{config:?}").contains("hunter2"));
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Config(Arc<Inner>);

struct Inner {
    family: Family,
    addresses: Vec<Address>,
    user: String,
    password: Option<Secret>,
    database: String,
    credentials: Option<Arc<dyn CredentialsProvider>>,
    resolver: Option<Arc<dyn Resolve>>,
    #[cfg(feature = "rds-api")]
    aws_credentials: Option<SharedCredentialsProvider>,
    given: Settings,
    values: Values,
}

impl Config {
    /// An empty builder.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// Reads a URL; see [`Config`] for its form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), listing every problem.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::builder().url(url).build()
    }

    /// Reads the URL in the environment variable `AURORA_URL`, or else in `DATABASE_URL`, and the
    /// variables described at [`ConfigBuilder::env`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), listing every problem.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().env().build()
    }

    /// Which protocol the servers speak.
    #[must_use]
    pub fn family(&self) -> Family {
        self.0.family
    }

    /// The addresses to start from, in the order they were given. There is none only where
    /// `cluster_id` alone tells what to connect to, and nobody has connected yet.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.0.addresses
    }

    /// The user name; empty where the credentials bring it along.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// The password; none where the server asks for none or it comes from somewhere else.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.0.password.as_ref()
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.0.database
    }

    /// Who provides the credentials, if they are not a password.
    pub(crate) fn credentials(&self) -> Option<Arc<dyn CredentialsProvider>> {
        self.0.credentials.clone()
    }

    /// Who is asked for the addresses of host names, if not the operating system.
    pub(crate) fn resolver(&self) -> Option<Arc<dyn Resolve>> {
        self.0.resolver.clone()
    }

    /// Whom to ask for the AWS credentials, if not the chain of the SDK.
    #[cfg(feature = "rds-api")]
    pub(crate) fn aws_credentials(&self) -> Option<SharedCredentialsProvider> {
        self.0.aws_credentials.clone()
    }

    /// The same with addresses that were looked up; defaults that depend on host names follow.
    #[cfg(feature = "rds-api")]
    pub(crate) fn with_addresses(&self, addresses: Vec<Address>) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            values: inner.given.resolve(&addresses),
            addresses,
            family: inner.family,
            user: inner.user.clone(),
            password: inner.password.clone(),
            database: inner.database.clone(),
            credentials: inner.credentials.clone(),
            resolver: inner.resolver.clone(),
            aws_credentials: inner.aws_credentials.clone(),
            given: inner.given.clone(),
        }))
    }

    /// How long an instance may take to answer a probe: `detection_time` less `probe_interval`.
    #[must_use]
    pub fn probe_timeout(&self) -> std::time::Duration {
        self.detection_time().saturating_sub(self.probe_interval())
    }

    /// The URL, for logs: with every option that was given, without the password and without
    /// the session parameters.
    #[must_use]
    pub fn redacted_url(&self) -> String {
        let inner = &self.0;
        let encode = |text: &str| utf8_percent_encode(text, &IN_PART).to_string();
        let password =
            inner.password.as_ref().map_or(String::new(), |_| format!(":{}", Secret::REDACTED));
        let addresses: Vec<String> = inner.addresses.iter().map(Address::to_string).collect();
        let at = if inner.user.is_empty() { "" } else { "@" };
        let mut url = format!(
            "{}://{}{password}{at}{}/{}",
            inner.family.scheme(),
            encode(&inner.user),
            addresses.join(","),
            encode(&inner.database)
        );
        let given = OPTIONS.iter().filter(|option| (option.is_set)(&inner.given));
        for (index, option) in given.enumerate() {
            let text = self.shown(option.name, (option.text)(&inner.values));
            let text = if text == Secret::REDACTED {
                text
            } else {
                utf8_percent_encode(&text, &IN_VALUE).to_string()
            };
            let mark = if index == 0 { '?' } else { '&' };
            // Those about secrets hold none; without the prefix they would be refused.
            let prefix = if libpq::is_secret(option.name) { url::PREFIX } else { "" };
            url.push_str(&format!("{mark}{prefix}{}={text}", option.name));
        }
        url
    }

    /// Session parameters are the application's own and may be anything: never shown.
    fn shown(&self, name: &str, text: String) -> String {
        if name == "options" && !text.is_empty() { Secret::REDACTED.to_owned() } else { text }
    }
}

/// What is encoded in a user or database: everything that RFC 3986 does not call unreserved.
const IN_PART: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is encoded in the value of an option: lists and paths stay readable.
const IN_VALUE: AsciiSet = IN_PART.remove(b':').remove(b',').remove(b'/');

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let mut debug = f.debug_struct("Config");
        debug
            .field("family", &inner.family)
            .field("addresses", &inner.addresses)
            .field("user", &inner.user)
            .field("password", &inner.password)
            .field("credentials", &inner.credentials.as_ref().map(|source| source.describe()))
            .field("database", &inner.database);
        for option in OPTIONS {
            let text = self.shown(option.name, (option.text)(&inner.values));
            debug.field(option.name, &format_args!("{text}"));
        }
        debug.finish()
    }
}
