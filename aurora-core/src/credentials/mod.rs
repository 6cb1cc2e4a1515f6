//! What connections log in with, and where that comes from.
//!
//! Every physical connection, of every adapter and of the monitors, asks the cluster's one
//! [`Keyring`]. What it says is decided by a pure state machine, [`cache`].

mod cache;
mod keyring;
mod provider;

pub(crate) use self::keyring::Keyring;
pub use self::keyring::Login;
pub use self::provider::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, CredentialsScope,
    Providing,
};
