//! An API that is throttled, slow, broken or away.

use std::time::Duration;

use aurora_core::{Error, ErrorKind};
use aurora_tests::doors::{diesel_r2d2, seaorm};
use aurora_tests::scene::eventually;
use test_kit::aws::{Front, Mood};
use tokio::task::block_in_place;

use super::ALWAYS_ANEW;
use super::stand::{Vault, config, connect, set_password};

const MOODS: [Mood; 7] = [
    Mood::Throttling,
    Mood::Failing,
    Mood::Slow(Duration::from_secs(40)),
    Mood::Garbage,
    Mood::Strange,
    Mood::Denying,
    Mood::Gone,
];

/// What is in memory is used, whatever the API does; it is asked in the background.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_api_blocks_no_connect_while_something_is_in_memory() {
    for mood in MOODS {
        let vault = Vault::open();
        let secret = vault.secret().refresh_after(Duration::from_millis(1));
        let scene = super::stand::scene(diesel_r2d2::open, 1, ALWAYS_ANEW, secret).await;
        vault.front.be(mood);
        let mut guest = scene.guest().await;
        for _ in 0..20 {
            guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap();
        }
        eventually(&format!("{mood:?}: it is asked in the background"), async || {
            guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap();
            vault.front.misbehaved() > 0
        })
        .await;
        block_in_place(|| drop(guest));
    }
}

/// A process that begins: the error names the secret, the region and the remedy.
#[tokio::test(flavor = "multi_thread")]
async fn without_anything_in_memory_the_error_says_what_to_do() {
    let vault = Vault::open();
    let scene = vault.scene(seaorm::open, 1, ALWAYS_ANEW).await;
    let begin = |mood| -> Error {
        vault.front.be(mood);
        let config = scene.kit(|kit| config(kit, "failover_timeout=3s&connect_timeout=1s"));
        block_in_place(|| connect(config.credentials(vault.secret()))).expect_err("no credentials")
    };
    for (mood, kind, words) in [
        (Mood::Throttling, ErrorKind::Credentials, "ThrottlingException"),
        (Mood::Failing, ErrorKind::Credentials, "InternalServiceError"),
        (Mood::Slow(Duration::from_secs(40)), ErrorKind::Credentials, "in time"),
        (Mood::Garbage, ErrorKind::Credentials, "in time"),
        (Mood::Strange, ErrorKind::Configuration, "not a JSON object with the keys `username`"),
        (Mood::Denying, ErrorKind::Configuration, "allow secretsmanager:GetSecretValue"),
        (Mood::Gone, ErrorKind::Credentials, "in time"),
    ] {
        let error = begin(mood);
        let text = format!("{error} {error:?}");
        assert_eq!(error.kind(), kind, "{mood:?}: {text}");
        assert!(text.contains("`prod/shop`") && text.contains("eu-west-1"), "{mood:?}: {text}");
        assert!(text.contains(words), "{mood:?}: {text}");
        assert!(!text.contains("planted"), "{mood:?}: {text}");
    }
    vault.front.be(Mood::Honest);
    block_in_place(|| vault.moto.delete_secret(super::stand::SECRET).unwrap());
    let error = begin(Mood::Honest);
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("check its name, and the region"), "{error}");
}

/// A rotation that happens while the API is away: logins wait, and go on when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_while_the_api_is_away_is_waited_for() {
    let vault = Vault::open();
    let scene = vault.scene(seaorm::open, 1, ALWAYS_ANEW).await;
    vault.front.be(Mood::Throttling);
    scene.kit(|kit| {
        vault.moto.put_secret(super::stand::SECRET, &super::stand::json("planted-1")).unwrap();
        set_password(kit, "planted-1");
    });
    let front: &Front = &vault.front;
    let before = front.calls("GetSecretValue");
    let mut guest = scene.guest().await;
    let (written, ()) =
        tokio::join!(guest.execute("INSERT INTO items (name) VALUES ('d')"), async {
            let asked = async || front.calls("GetSecretValue") > before;
            eventually("it is asked", asked).await;
            front.be(Mood::Honest);
        });
    written.unwrap();
    block_in_place(|| drop(guest));
}

/// The URL alone, as a user writes it; the AWS credentials are those of the environment.
#[test]
fn the_options_of_a_url_lead_to_the_secret() {
    let url = "postgres://db.example.com/shop?aurora.secret=prod/shop&aurora.region=eu-west-1";
    let config = aurora_core::Config::from_url(url).unwrap();
    assert_eq!(config.auth(), aurora_core::AuthMethod::SecretsManager);
    assert!(format!("{config:?}").contains("the secret `prod/shop`"), "{config:?}");
    let again = config.redacted_url();
    assert_eq!(aurora_core::Config::from_url(&again).unwrap().redacted_url(), again);
}
