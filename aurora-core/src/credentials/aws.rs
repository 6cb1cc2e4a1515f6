//! What the features that talk to AWS share: region, credentials, the HTTP client.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
#[cfg(any(feature = "iam", feature = "secrets-manager"))]
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, tls};
use tokio::sync::OnceCell;

use super::CredentialsError;

/// How long one call of an API may take, its tries together.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// How an API of AWS is reached; the SDK is asked for the rest once, when it is needed.
#[derive(Default)]
pub(crate) struct Aws {
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    loaded: OnceCell<SdkConfig>,
}

impl Aws {
    #[cfg(any(feature = "rds-api", feature = "secrets-manager"))]
    pub(crate) fn in_region(region: Option<String>) -> Self {
        Self { region, ..Self::default() }
    }

    #[cfg(any(feature = "iam", feature = "secrets-manager"))]
    pub(crate) fn set_credentials(&mut self, provider: impl ProvideCredentials + 'static) {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
    }

    /// The SDK's configuration: what was said here, then the default chains of the SDK.
    pub(crate) async fn load(&self) -> &SdkConfig {
        self.loaded.get_or_init(|| self.load_now()).await
    }

    async fn load_now(&self) -> SdkConfig {
        // The process-wide default of rustls is none of our business: ring, as everywhere here.
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let limits = TimeoutConfig::builder()
            .operation_timeout(CALL_LIMIT)
            .operation_attempt_timeout(TRY_LIMIT)
            .connect_timeout(TRY_LIMIT);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(Builder::new().tls_provider(ring).build_https())
            .timeout_config(limits.build())
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.endpoint_url {
            loader = loader.endpoint_url(url.clone());
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        loader.load().await
    }

    /// The region, or what to do about its absence.
    pub(crate) fn region_of(config: &SdkConfig) -> Result<String, CredentialsError> {
        config.region().map(|region| region.as_ref().to_owned()).ok_or_else(|| {
            CredentialsError::permanent("no AWS region is known: set aurora.region or AWS_REGION")
        })
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}
