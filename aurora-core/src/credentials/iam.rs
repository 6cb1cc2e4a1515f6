//! Tokens of IAM database authentication.
//!
//! A token is a request signed with Signature Version 4, without its scheme. It is made in the
//! process: AWS is asked for credentials only. Source: Amazon RDS user guide, "IAM database
//! authentication"; aurora.md 3.14.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError as AwsError;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;

use super::aws::Aws;
use super::provider::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, CredentialsScope,
    Providing,
};
use crate::config::Address;
use crate::endpoint::Endpoint;

/// How long a server takes a token after it was signed; AWS allows no more.
const LIFE: Duration = Duration::from_secs(900);
/// For clocks that differ, and for the login itself.
const MARGIN: Duration = Duration::from_secs(30);
/// The AWS credentials are replaced that long before they expire, as the SDK does it.
const AWS_MARGIN: Duration = Duration::from_secs(300);

/// What RFC 3986 calls unreserved is left alone, as Signature Version 4 wants it.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Logs in with tokens of IAM database authentication instead of a password.
///
/// A token is signed per address, region and user, for 15 minutes, and replaced after about 12 of
/// them. Open connections outlive their token. The region is the one given here, else that of the
/// host name, else that of the SDK's default chain; the AWS credentials are those given here, else
/// those of the default chain. (For SSO and credential processes, switch on the features of these
/// names of `aws-config` in your own `Cargo.toml`.)
///
/// The same as `aurora.auth=iam` in the URL.
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, IamTokens};
///
/// let config = Config::builder()
///     .url("postgres://app@shop.cluster-c1.eu-west-1.rds.amazonaws.com/shop")
///     .credentials(IamTokens::new())
///     .build()?;
/// # drop(config);
/// # Ok::<(), aurora_core::Error>(())
/// ```
#[derive(Default)]
pub struct IamTokens {
    aws: Aws,
    endpoint: Option<Address>,
    signer: Mutex<Option<AwsCredentials>>,
}

impl IamTokens {
    /// Tokens with the region of the host name and the default chain's AWS credentials.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The region of the cluster, where the host names do not tell it.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.aws.region = Some(region.into());
        self
    }

    /// Whom to ask for the AWS credentials; any provider of `aws-config` will do.
    #[must_use]
    pub fn aws_credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.aws.set_credentials(provider);
        self
    }

    /// Signs for this endpoint whatever the address: for names of one's own, and for tunnels. AWS
    /// knows its own names only.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Address) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    async fn token(
        &self,
        request: CredentialsRequest<'_>,
    ) -> Result<Credentials, CredentialsError> {
        if request.user.is_empty() {
            let text = "an IAM token needs the name of the database user: write it in the URL";
            return Err(CredentialsError::permanent(text));
        }
        let address = self.endpoint.as_ref().unwrap_or(request.address);
        let region = match self.region_of(address) {
            Some(region) => region,
            None => Aws::region_of(self.aws.load().await)?,
        };
        let signer = self.signer(!request.refused.is_empty()).await?;
        let (now, wall) = (Instant::now(), SystemTime::now());
        let token = sign_token(address, request.user, &region, &signer, wall)?;
        let life = signer
            .expiry()
            .map_or(LIFE, |end| end.duration_since(wall).unwrap_or_default().min(LIFE));
        let life = life.saturating_sub(MARGIN);
        Ok(Credentials::new(token).expires_at(now + life))
    }

    fn region_of(&self, address: &Address) -> Option<String> {
        let of_name = || Endpoint::parse(address.host()).region().map(str::to_owned);
        self.aws.region.clone().or_else(of_name)
    }

    /// The AWS credentials: those at hand while they are good, unless something was refused.
    async fn signer(&self, was_refused: bool) -> Result<AwsCredentials, CredentialsError> {
        let mut held = self.signer.lock().await;
        let is_good = |signer: &&AwsCredentials| {
            signer.expiry().is_none_or(|end| end > SystemTime::now() + AWS_MARGIN)
        };
        if let Some(signer) = held.as_ref().filter(is_good).filter(|_| !was_refused) {
            return Ok(signer.clone());
        }
        let provider = match &self.aws.credentials {
            Some(provider) => provider.clone(),
            None => self.aws.load().await.credentials_provider().ok_or_else(no_credentials)?,
        };
        match provider.provide_credentials().await {
            Ok(signer) => Ok(held.insert(signer).clone()),
            // The last minutes of what is at hand are better than nothing.
            Err(error) => match held.as_ref() {
                Some(signer) if signer.expiry().is_none_or(|end| end > SystemTime::now()) => {
                    Ok(signer.clone())
                }
                Some(_) | None => Err(told(&error)),
            },
        }
    }
}

impl CredentialsProvider for IamTokens {
    fn provide<'a>(&'a self, request: CredentialsRequest<'a>) -> Providing<'a> {
        Box::pin(self.token(request))
    }

    fn describe(&self) -> String {
        let region = self.aws.region.as_deref().map(|region| format!(" in {region}"));
        format!(
            "IAM database authentication{} (rds-db:connect must be allowed, and the user be in \
             the role rds_iam)",
            region.unwrap_or_default()
        )
    }

    fn scope(&self) -> CredentialsScope {
        CredentialsScope::Address
    }
}

/// The token for `user` at `address`, good for [`LIFE`] from `time` on.
fn sign_token(
    address: &Address,
    user: &str,
    region: &str,
    signer: &AwsCredentials,
    time: SystemTime,
) -> Result<String, CredentialsError> {
    let failed = |what: &dyn fmt::Display| {
        CredentialsError::permanent(format!(
            "cannot sign a token for {address} in {region}: {what}"
        ))
    };
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(LIFE);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = signer.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?;
    let user = utf8_percent_encode(user, &ENCODED);
    let mut token = format!("{address}/?Action=connect&DBUser={user}");
    let url = format!("https://{token}");
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::empty());
    let request = request.map_err(|error| failed(&error))?;
    let signed = sign(request, &params.into()).map_err(|error| failed(&error))?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.params() {
        let value = utf8_percent_encode(value, &ENCODED);
        token.push_str(&format!("&{name}={value}"));
    }
    Ok(token)
}

fn no_credentials() -> CredentialsError {
    CredentialsError::permanent(
        "no AWS credentials: give the process a role, or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY",
    )
}

/// The SDK's error, without what it may hold of an answer.
fn told(error: &AwsError) -> CredentialsError {
    match error {
        AwsError::CredentialsNotLoaded(_) => no_credentials(),
        AwsError::ProviderTimedOut(_) => {
            CredentialsError::transient("the provider of the AWS credentials does not answer")
        }
        AwsError::InvalidConfiguration(_) => {
            CredentialsError::permanent("the configuration of the AWS credentials is invalid")
        }
        _ => CredentialsError::transient("the provider of the AWS credentials failed"),
    }
}

impl fmt::Debug for IamTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamTokens")
            .field("aws", &self.aws)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
