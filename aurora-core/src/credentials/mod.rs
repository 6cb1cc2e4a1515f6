//! What connections log in with, and where that comes from.
//!
//! Every physical connection, of every adapter and of the monitors, asks the cluster's one
//! [`Keyring`]. What it says is decided by a pure state machine, [`cache`].

#[cfg(any(feature = "iam", feature = "rds-api", feature = "secrets-manager"))]
mod aws;
mod cache;
mod choice;
#[cfg(feature = "iam")]
mod iam;
mod keyring;
mod provider;
#[cfg(feature = "secrets-manager")]
mod secrets_manager;

#[cfg(feature = "rds-api")]
pub(crate) use self::aws::Aws;
pub(crate) use self::choice::{Choice, choose};
#[cfg(feature = "iam")]
pub use self::iam::IamTokens;
pub(crate) use self::keyring::Keyring;
pub use self::keyring::Login;
pub use self::provider::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, CredentialsScope,
    Providing,
};
#[cfg(feature = "secrets-manager")]
pub use self::secrets_manager::SecretsManager;
