//! Where credentials come from, as the options say it.

use std::sync::Arc;

use super::CredentialsProvider;
use crate::config::AuthMethod;

/// What the options say.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "secrets-manager"),
    expect(dead_code, reason = "some of it is said to AWS Secrets Manager alone")
)]
pub(crate) struct Choice<'a> {
    pub(crate) method: AuthMethod,
    pub(crate) secret: Option<&'a str>,
    pub(crate) username_key: &'a str,
    pub(crate) password_key: &'a str,
    pub(crate) region: Option<&'a str>,
    pub(crate) endpoint_url: Option<&'a str>,
}

/// Who provides the credentials: nobody, where the password is fixed.
///
/// The problem is what is wrong, and what to do about it.
pub(crate) fn choose(
    choice: &Choice<'_>,
) -> Result<Option<Arc<dyn CredentialsProvider>>, (&'static str, &'static str)> {
    match choice.method {
        AuthMethod::Password => Ok(None),
        AuthMethod::Iam => iam(choice).map(Some),
        AuthMethod::SecretsManager => match choice.secret {
            Some(secret) => secrets_manager(secret, choice).map(Some),
            None => Err(("no secret is named", "write its name or ARN as aurora.secret")),
        },
    }
}

type Chosen = Result<Arc<dyn CredentialsProvider>, (&'static str, &'static str)>;

#[cfg(feature = "iam")]
fn iam(choice: &Choice<'_>) -> Chosen {
    let mut tokens = super::IamTokens::new();
    if let Some(region) = choice.region {
        tokens = tokens.region(region);
    }
    Ok(Arc::new(tokens))
}

#[cfg(not(feature = "iam"))]
fn iam(_: &Choice<'_>) -> Chosen {
    Err((
        "aurora.auth=iam needs the feature `iam`",
        "switch it on in the Cargo.toml of your program",
    ))
}

#[cfg(feature = "secrets-manager")]
fn secrets_manager(secret: &str, choice: &Choice<'_>) -> Chosen {
    let mut secret = super::SecretsManager::new(secret);
    secret = secret.keys(choice.username_key, choice.password_key);
    if let Some(region) = choice.region {
        secret = secret.region(region);
    }
    if let Some(url) = choice.endpoint_url {
        secret = secret.endpoint_url(url);
    }
    Ok(Arc::new(secret))
}

#[cfg(not(feature = "secrets-manager"))]
fn secrets_manager(_: &str, _: &Choice<'_>) -> Chosen {
    Err((
        "aurora.secret needs the feature `secrets-manager`",
        "switch it on in the Cargo.toml of your program",
    ))
}
