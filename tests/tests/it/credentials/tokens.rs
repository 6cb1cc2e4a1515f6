//! Tokens that are good for a short time, on a server that knows when they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aurora_core::{
    Address, Credentials, CredentialsError, CredentialsProvider, CredentialsRequest,
    CredentialsScope, IamTokens, Providing,
};
use aurora_tests::doors::diesel_r2d2;
use aurora_tests::load::Load;
use aurora_tests::scene::{Scene, eventually};
use aws_credential_types::Credentials as AwsCredentials;
use postgres::{Client, NoTls};
use test_kit::PgCluster;
use tokio::task::{block_in_place, spawn_blocking};

use super::OFTEN_ANEW;
use super::stand::{all_doors, config, connect};

/// How long a token is good here; a real one is for 15 minutes.
const LIFE: Duration = Duration::from_secs(3);

/// Signs real tokens, and tells the server of each: it takes that one, and until its end only.
struct Issuer {
    tokens: IamTokens,
    superuser: String,
    issued: Arc<AtomicUsize>,
}

impl Issuer {
    async fn issue(
        &self,
        request: CredentialsRequest<'_>,
    ) -> Result<Credentials, CredentialsError> {
        let signed = self.tokens.provide(request).await?;
        let token = signed.password().expose().to_owned();
        let (url, number) = (self.superuser.clone(), self.issued.fetch_add(1, Ordering::Relaxed));
        // Two tokens of one second are alike; the server shall tell them apart.
        let token = format!("{token}&n={number}");
        let sql = format!(
            "ALTER ROLE shop PASSWORD '{token}'; \
             DO $$BEGIN EXECUTE format('ALTER ROLE shop VALID UNTIL %L', \
             clock_timestamp() + interval '{} ms'); END$$",
            LIFE.as_millis()
        );
        let tell = move || Client::connect(&url, NoTls)?.batch_execute(&sql);
        let expires_at = Instant::now() + LIFE - Duration::from_millis(500);
        let told =
            spawn_blocking(tell).await.map_err(|e| CredentialsError::transient(e.to_string()))?;
        told.map_err(|error| CredentialsError::transient(error.to_string()))?;
        Ok(Credentials::new(token).expires_at(expires_at))
    }
}

impl CredentialsProvider for Issuer {
    fn provide<'a>(&'a self, request: CredentialsRequest<'a>) -> Providing<'a> {
        Box::pin(self.issue(request))
    }

    fn describe(&self) -> String {
        self.tokens.describe()
    }

    fn scope(&self) -> CredentialsScope {
        self.tokens.scope()
    }

    fn rotation_window(&self) -> Duration {
        self.tokens.rotation_window()
    }
}

fn issuer(kit: &PgCluster, issued: &Arc<AtomicUsize>) -> Issuer {
    let sql = "CREATE ROLE shop LOGIN PASSWORD 'none yet' IN ROLE app";
    kit.superuser(0).unwrap().batch_execute(sql).unwrap();
    let real = Address::new("shop.cluster-c1.eu-west-1.rds.amazonaws.com", 5432);
    let signer = AwsCredentials::new("AKIDEXAMPLE", "planted", None, None, "test");
    let (host, port) = kit.address(0);
    Issuer {
        tokens: IamTokens::new().aws_credentials(signer).endpoint(real),
        superuser: format!("postgres://kit:{}@{host}:{port}/app", test_kit::PASSWORD),
        issued: Arc::clone(issued),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_replaced_before_they_end_and_no_login_fails() {
    let issued = Arc::new(AtomicUsize::new(0));
    let servers = PgCluster::builder();
    let scene = Scene::connected(diesel_r2d2::open, servers, |kit| {
        let options = format!("{OFTEN_ANEW}&application_name=tokens");
        let config = config(kit, &options).user("shop").credentials(issuer(kit, &issued));
        connect(config).unwrap()
    })
    .await;
    let doors = all_doors(&scene).await;
    let mut load = Load::through(&scene, &doors).await;
    eventually("five tokens were issued", async || issued.load(Ordering::Relaxed) >= 6).await;
    load.goes_on().await;
    assert_eq!(load.stop().await, 0, "every worker ends");
    let operations = load.log.operations();
    let failed: Vec<_> = operations.iter().filter_map(|done| done.failure.as_ref()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), operations.len());
    // Nobody was ever let in with a token that had ended: the server refuses it.
    let log = block_in_place(|| scene.kit.log_tail(0).unwrap());
    assert!(!log.contains("has an expired password"), "{log}");
}
