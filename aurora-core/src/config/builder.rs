//! The builder of a configuration.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "rds-api")]
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::address::Address;
use super::choices::Family;
use super::options::{OPTIONS, Settings};
use super::problems::Problems;
use super::secret::Secret;
use super::{Config, Inner, env, table, url, validate};
use crate::credentials::CredentialsProvider;
use crate::error::Error;
use crate::names::Resolve;

/// Builds a [`Config`]; the last word on a setting counts.
///
/// Nothing is refused before [`ConfigBuilder::build`], which reports everything at once.
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, PolicyKind};
/// use std::time::Duration;
///
/// let config = Config::builder()
///     .url("postgres://app@db.example.com/shop?policy=random")
///     .password("secret")
///     .failover_timeout(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(config.policy(), PolicyKind::Random);
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ConfigBuilder {
    pub(super) family: Family,
    /// `Some` of nothing: addresses were given and all were wrong, which is already a problem.
    pub(super) addresses: Option<Vec<Address>>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    pub(super) settings: Settings,
    pub(super) credentials: Option<Arc<dyn CredentialsProvider>>,
    resolver: Option<Arc<dyn Resolve>>,
    #[cfg(feature = "rds-api")]
    aws_credentials: Option<SharedCredentialsProvider>,
    pub(super) problems: Problems,
    /// A URL was given whose parts could not be told apart; that they are missing is no news.
    pub(super) url_is_unusable: bool,
}

impl ConfigBuilder {
    /// Takes everything that `url` says; see [`Config`] for its form.
    ///
    /// Its addresses replace those given before.
    pub fn url(mut self, url: &str) -> Self {
        url::apply(&mut self, url, "the URL");
        self
    }

    /// Takes the URL in the environment variable `AURORA_URL`, or else in `DATABASE_URL`, if
    /// either is set; then `AURORA_USER`, `AURORA_PASSWORD`, `AURORA_DATABASE`, and for every
    /// option the variable with its name in capitals, such as `AURORA_CONNECT_TIMEOUT`.
    ///
    /// Other variables that start with `AURORA_` are left alone, unless one looks like a misspelt
    /// option: that is a problem.
    pub fn env(self) -> Self {
        self.variables(std::env::vars_os().map(env::readable))
    }

    /// [`ConfigBuilder::env`] with `variables`, pairs of name and value, for the environment.
    pub fn env_from(
        self,
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        self.variables(variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))))
    }

    fn variables(mut self, variables: impl Iterator<Item = (String, Option<String>)>) -> Self {
        env::apply(&mut self, &variables.collect());
        self
    }

    /// Which protocol the servers speak. Default: PostgreSQL's; a URL says it by its scheme.
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Adds one address to start from.
    pub fn address(mut self, host: impl Into<String>, port: u16) -> Self {
        self.addresses.get_or_insert_default().push(Address::new(host, port));
        self
    }

    /// Replaces the addresses to start from; any instance or endpoint of the cluster will do.
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = Address>) -> Self {
        let addresses: Vec<Address> = addresses.into_iter().collect();
        self.addresses = (!addresses.is_empty()).then_some(addresses);
        self
    }

    /// The user name; there is no default.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password. Default: none.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Who provides the credentials, for passwords that change; see [`CredentialsProvider`].
    /// Default: nobody, the password is fixed.
    pub fn credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// The name of the database; there is no default.
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// Who is asked for the addresses of host names; see [`Resolve`]. Default: the operating
    /// system.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Whom to ask for the AWS credentials with which the API of RDS is called; any provider of
    /// `aws-config` will do. Default: the chain of the AWS SDK.
    #[cfg(feature = "rds-api")]
    pub fn aws_credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.aws_credentials = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// The options as a Markdown table, for the help text of a program.
    #[must_use]
    pub fn describe_options() -> String {
        table::markdown()
    }

    /// Checks everything and makes the configuration.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration); the message lists every
    /// problem with its remedy.
    pub fn build(mut self) -> Result<Config, Error> {
        let addresses = self.addresses.clone().unwrap_or_default();
        let values = self.settings.resolve(&addresses);
        validate::source(&mut self, &values);
        validate::parts(&mut self);
        validate::options(self.family, &self.settings, &values, &mut self.problems);
        if !self.problems.is_empty() {
            return Err(self.problems.into_error());
        }
        Ok(Config(Arc::new(Inner {
            family: self.family,
            addresses,
            user: self.user.unwrap_or_default(),
            password: self.password,
            database: self.database.unwrap_or_default(),
            credentials: self.credentials,
            resolver: self.resolver,
            #[cfg(feature = "rds-api")]
            aws_credentials: self.aws_credentials,
            given: self.settings,
            values,
        })))
    }
}

impl fmt::Debug for ConfigBuilder {
    /// Names the options that were given, without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given: Vec<&str> = OPTIONS
            .iter()
            .filter(|option| (option.is_set)(&self.settings))
            .map(|option| option.name)
            .collect();
        f.debug_struct("ConfigBuilder")
            .field("family", &self.family)
            .field("addresses", &self.addresses)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("database", &self.database)
            .field("credentials", &self.credentials.as_ref().map(|source| source.describe()))
            .field("has_resolver", &self.resolver.is_some())
            .field("options", &given)
            .field("problems", &self.problems)
            .finish()
    }
}
