//! User and password out of AWS Secrets Manager.

use std::fmt;
use std::time::{Duration, Instant};

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use tokio::sync::OnceCell;

use super::aws::Aws;
use super::provider::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, Providing,
};

/// The version that is in force.
const CURRENT: &str = "AWSCURRENT";
/// In the middle of a rotation the server knows the next version already, or still the last one.
const OTHERS: [&str; 2] = ["AWSPENDING", "AWSPREVIOUS"];

/// Logs in with the user and the password of a secret in AWS Secrets Manager.
///
/// The secret is JSON with the keys `username` and `password`, as RDS makes it, unless others are
/// given. It is read once, and again when a server refuses the login; its old content is used
/// while a newer one is fetched, and while the API fails. In a rotation, when the current version
/// is refused, the pending one is tried, and then the previous one.
///
/// The region is the one given here, else that of the secret's ARN, else that of the SDK's default
/// chain.
///
/// The same as `aurora.secret=…` in the URL.
///
/// # Examples
///
/// ```
/// use aurora_core::{Config, SecretsManager};
///
/// let config = Config::builder()
///     .url("postgres://shop.cluster-c1.eu-west-1.rds.amazonaws.com/shop")
///     .credentials(SecretsManager::new("prod/shop").region("eu-west-1"))
///     .build()?;
/// # drop(config);
/// # Ok::<(), aurora_core::Error>(())
/// ```
pub struct SecretsManager {
    secret: String,
    username_key: String,
    password_key: String,
    refresh_after: Option<Duration>,
    rotation_window: Duration,
    aws: Aws,
    client: OnceCell<Client>,
}

impl SecretsManager {
    /// The secret of that name or ARN.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        let secret = secret.into();
        let aws = Aws::in_region(region_of_arn(&secret));
        Self {
            secret,
            username_key: "username".to_owned(),
            password_key: "password".to_owned(),
            refresh_after: Some(Duration::from_secs(3600)),
            rotation_window: Duration::from_secs(90),
            aws,
            client: OnceCell::new(),
        }
    }

    /// The region of the secret.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.aws.region = Some(region.into());
        self
    }

    /// Where the API is, for a VPC endpoint or a stand-in.
    #[must_use]
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.aws.endpoint_url = Some(url.into());
        self
    }

    /// Whom to ask for the AWS credentials; any provider of `aws-config` will do.
    #[must_use]
    pub fn aws_credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.aws.set_credentials(provider);
        self
    }

    /// The keys of user and password in the JSON. Default: `username` and `password`.
    #[must_use]
    pub fn keys(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        (self.username_key, self.password_key) = (username.into(), password.into());
        self
    }

    /// Reads the secret again after that time, even if no login was refused; `None` for never.
    /// Default: an hour.
    #[must_use]
    pub fn refresh_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.refresh_after = time.into();
        self
    }

    /// How long the server and the secret may disagree in a rotation. Default: 90 s.
    #[must_use]
    pub fn rotation_window(mut self, time: Duration) -> Self {
        self.rotation_window = time;
        self
    }

    async fn client(&self) -> Result<&Client, CredentialsError> {
        let connect = || async {
            let config = self.aws.load().await;
            Aws::region_of(config)?;
            Ok(Client::new(config))
        };
        self.client.get_or_try_init(connect).await
    }

    async fn read(&self, request: CredentialsRequest<'_>) -> Result<Credentials, CredentialsError> {
        let current = self.version(CURRENT, request.user).await?;
        let was_refused = |found: &Credentials| request.refused.iter().any(|r| r.is_same(found));
        if !was_refused(&current) {
            return Ok(current);
        }
        for stage in OTHERS {
            // That there is none, or that it cannot be read, is no news: the current one counts.
            if let Ok(other) = self.version(stage, request.user).await
                && !was_refused(&other)
            {
                return Ok(other);
            }
        }
        Ok(current)
    }

    async fn version(&self, stage: &str, user: &str) -> Result<Credentials, CredentialsError> {
        let client = self.client().await?;
        let call = client.get_secret_value().secret_id(&self.secret).version_stage(stage);
        let answer = call.send().await.map_err(|error| self.told(&error))?;
        let text = answer.secret_string().ok_or_else(|| {
            CredentialsError::permanent("the secret is binary: store it as a text, in JSON")
        })?;
        let credentials = self.parse(text, user)?;
        Ok(match self.refresh_after {
            Some(time) => credentials.refresh_at(Instant::now() + time),
            None => credentials,
        })
    }

    /// Nothing of the text is ever quoted.
    fn parse(&self, text: &str, user: &str) -> Result<Credentials, CredentialsError> {
        let bad = |what: String| Err(CredentialsError::permanent(what));
        let Ok(serde_json::Value::Object(map)) = serde_json::from_str(text) else {
            return bad(format!(
                "the secret is not a JSON object with the keys `{}` and `{}`",
                self.username_key, self.password_key
            ));
        };
        let field = |key: &str| map.get(key).and_then(serde_json::Value::as_str);
        let Some(password) = field(&self.password_key) else {
            return bad(format!("the secret has no text under the key `{}`", self.password_key));
        };
        let credentials = Credentials::new(password);
        match field(&self.username_key) {
            Some(user) if !user.is_empty() => Ok(credentials.with_user(user)),
            Some(_) | None if !user.is_empty() => Ok(credentials),
            Some(_) | None => bad(format!(
                "the secret has no text under the key `{}`, and the URL names no user",
                self.username_key
            )),
        }
    }

    fn told<R>(&self, error: &SdkError<GetSecretValueError, R>) -> CredentialsError {
        match error {
            SdkError::ServiceError(refusal) => {
                let (code, words) = (refusal.err().code(), refusal.err().message());
                judge(code.unwrap_or("no code"), words.unwrap_or("no reason given"))
            }
            SdkError::TimeoutError(_) => {
                CredentialsError::transient("GetSecretValue does not answer in time")
            }
            SdkError::DispatchFailure(failure) if failure.is_user() => CredentialsError::permanent(
                "GetSecretValue cannot be sent: there are no AWS credentials, or the endpoint's \
                 URL is wrong",
            ),
            SdkError::DispatchFailure(_) => CredentialsError::transient(
                "GetSecretValue cannot be sent: check the AWS credentials of the process, and the \
                 network to the endpoint",
            ),
            SdkError::ResponseError(_) => {
                CredentialsError::transient("the answer to GetSecretValue cannot be read")
            }
            SdkError::ConstructionFailure(_) => CredentialsError::permanent(
                "GetSecretValue cannot be asked: check the name of the secret and the region",
            ),
            _ => CredentialsError::transient("GetSecretValue failed"),
        }
    }
}

/// What a refusal of the API means. Source: Secrets Manager API reference, GetSecretValue, and
/// "Common error types".
fn judge(code: &str, words: &str) -> CredentialsError {
    let remedy = match code {
        "ResourceNotFoundException" => "check its name, and the region",
        "AccessDeniedException" => "allow secretsmanager:GetSecretValue on it",
        "DecryptionFailure" => "allow kms:Decrypt on its key",
        "InvalidParameterException" | "InvalidRequestException" => "check its state in the console",
        "UnrecognizedClientException" | "InvalidSignatureException" | "ExpiredTokenException" => {
            "check the AWS credentials and the clock of this machine"
        }
        // Throttling, internal errors, and what is not known: it may pass.
        _ => return CredentialsError::transient(format!("GetSecretValue: {words} ({code})")),
    };
    CredentialsError::permanent(format!("GetSecretValue: {words} ({code}); {remedy}"))
}

/// `arn:aws:secretsmanager:<region>:…`.
fn region_of_arn(secret: &str) -> Option<String> {
    let mut parts = secret.strip_prefix("arn:")?.split(':');
    let region = parts.nth(2)?;
    (!region.is_empty()).then(|| region.to_owned())
}

impl CredentialsProvider for SecretsManager {
    fn provide<'a>(&'a self, request: CredentialsRequest<'a>) -> Providing<'a> {
        Box::pin(self.read(request))
    }

    fn describe(&self) -> String {
        let region = self.client.get().and_then(|client| client.config().region());
        let region = region.map(AsRef::as_ref).or(self.aws.region.as_deref());
        let region = region.unwrap_or("the default region");
        format!("the secret `{}` of AWS Secrets Manager in {region}", self.secret)
    }

    fn rotation_window(&self) -> Duration {
        self.rotation_window
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager")
            .field("secret", &self.secret)
            .field("aws", &self.aws)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
