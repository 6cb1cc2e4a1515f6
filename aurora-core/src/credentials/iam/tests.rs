//! Tokens against known answers, and the life of the AWS credentials behind them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use aws_credential_types::provider::future::ProvideCredentials as Future;

use super::*;

/// Host, port, user, region, access key, secret key, session token, time, token.
type Vector = (
    &'static str,
    u16,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    u64,
    &'static str,
);

/// The first one is the test of AWS's SDK for Rust (`aws-sdk-rds`, `auth_token.rs`); that and the
/// others are what botocore 1.43.11 signs with the same clock (`generate_db_auth_token`).
const VECTORS: [Vector; 3] = [
    (
        "prod-instance.us-east-1.rds.amazonaws.com",
        3306,
        "peccy",
        "us-east-1",
        "akid",
        "secret",
        None,
        1_724_709_600,
        "prod-instance.us-east-1.rds.amazonaws.com:3306/?Action=connect&DBUser=peccy&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=akid%2F20240826%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Date=20240826T220000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=dd0cba843009474347af724090233265628ace491ea17ce3eb3da098b983ad89",
    ),
    (
        "shop.cluster-c1abc.eu-west-1.rds.amazonaws.com",
        5432,
        "app_user",
        "eu-west-1",
        "ASIAEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        Some("FwoGZXIvYXdzE/+a=="),
        1_767_225_599,
        "shop.cluster-c1abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=app_user&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20251231%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20251231T235959Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzE%2F%2Ba%3D%3D&X-Amz-Signature=4c1858b98b6545a81a710d2763d9a71b220dcd0ce708826f6c2b89c569796f04",
    ),
    (
        "db.c1.cn-north-1.rds.amazonaws.com.cn",
        5433,
        "o.der+x@y z",
        "cn-north-1",
        "AKIDEXAMPLE",
        "k",
        None,
        1_800_000_000,
        "db.c1.cn-north-1.rds.amazonaws.com.cn:5433/?Action=connect&DBUser=o.der%2Bx%40y%20z&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20270115%2Fcn-north-1%2Frds-db%2Faws4_request&X-Amz-Date=20270115T080000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=00a2c487192d33eb900f8a67192f2c3ff24e3a46664e2ea18bd489780dc10b2e",
    ),
];

fn aws(key: &str, secret: &str, token: Option<&str>, expiry: Option<SystemTime>) -> AwsCredentials {
    AwsCredentials::new(key, secret, token.map(str::to_owned), expiry, "test")
}

#[test]
fn tokens_are_the_known_ones() {
    for (host, port, user, region, key, secret, session, time, expected) in VECTORS {
        let signer = aws(key, secret, session, None);
        let time = UNIX_EPOCH + Duration::from_secs(time);
        let token = sign_token(&Address::new(host, port), user, region, &signer, time).unwrap();
        let parts = |token: &str| {
            let (address, query) = token.split_once("/?").unwrap();
            let query: BTreeSet<String> = query.split('&').map(str::to_owned).collect();
            (address.to_owned(), query)
        };
        assert_eq!(parts(&token), parts(expected));
    }
}

/// Counts how often it is asked; its credentials expire then.
#[derive(Debug)]
struct Counting(Arc<AtomicU32>, Duration);

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> Future<'a>
    where
        Self: 'a,
    {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        if count > 2 {
            return Future::ready(Err(AwsError::provider_error("down")));
        }
        Future::ready(Ok(aws("AKID", "k", Some("t"), Some(SystemTime::now() + self.1))))
    }
}

async fn ask(tokens: &IamTokens, host: &str, refused: &[Credentials]) -> Credentials {
    let address = Address::new(host, 5432);
    let request = CredentialsRequest { address: &address, user: "app", refused };
    tokens.provide(request).await.unwrap()
}

#[tokio::test]
async fn aws_is_asked_once_for_many_tokens_and_again_after_a_refusal() {
    let count = Arc::new(AtomicU32::new(0));
    let provider = Counting(Arc::clone(&count), Duration::from_secs(3600));
    let tokens = IamTokens::new().aws_credentials(provider);
    let first = ask(&tokens, "a.c1.eu-west-1.rds.amazonaws.com", &[]).await;
    let second = ask(&tokens, "b.c1.eu-west-1.rds.amazonaws.com", &[]).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(!first.is_same(&second), "each address has its own");
    assert!(first.password().expose().starts_with("a.c1.eu-west-1.rds.amazonaws.com:5432/?"));
    assert!(first.password().expose().contains("eu-west-1%2Frds-db"));
    ask(&tokens, "a.c1.eu-west-1.rds.amazonaws.com", &[first]).await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_token_lives_no_longer_than_what_it_was_signed_with() {
    let count = Arc::new(AtomicU32::new(0));
    let provider = Counting(Arc::clone(&count), Duration::from_secs(120));
    let tokens = IamTokens::new().aws_credentials(provider).region("eu-west-1");
    let now = Instant::now();
    let token = ask(&tokens, "a.example.com", &[]).await;
    assert!(!token.is_expired(now + Duration::from_secs(80)));
    assert!(token.is_expired(now + Duration::from_secs(100)));
    // They are near their end: AWS is asked each time, and what is at hand used when it fails.
    for _ in 0..3 {
        ask(&tokens, "a.example.com", &[]).await;
    }
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_token_of_full_life_is_replaced_before_the_server_refuses_it() {
    let signer = aws("AKID", "k", None, None);
    let tokens = IamTokens::new().aws_credentials(signer);
    let now = Instant::now();
    let token = ask(&tokens, "a.c1.eu-west-1.rds.amazonaws.com", &[]).await;
    assert!(!token.is_expired(now + Duration::from_secs(860)));
    assert!(token.is_expired(now + Duration::from_secs(880)));
    let refresh = token.refresh_from(now, 0.0).unwrap() - now;
    assert!(refresh < Duration::from_secs(720), "{refresh:?}");
}

#[tokio::test]
async fn an_endpoint_of_ones_own_is_what_is_signed() {
    let signer = aws("AKID", "k", None, None);
    let real = Address::new("db.c1.eu-west-1.rds.amazonaws.com", 5432);
    let tokens = IamTokens::new().aws_credentials(signer).endpoint(real);
    let token = ask(&tokens, "localhost", &[]).await;
    assert!(token.password().expose().starts_with("db.c1.eu-west-1.rds.amazonaws.com:5432/?"));
}

#[test]
fn nothing_secret_is_shown() {
    let tokens = IamTokens::new().aws_credentials(aws("AKIDPLANT", "planted", None, None));
    let shown = format!("{tokens:?} {}", tokens.describe());
    assert!(!shown.contains("planted") && !shown.contains("AKIDPLANT"), "{shown}");
}
