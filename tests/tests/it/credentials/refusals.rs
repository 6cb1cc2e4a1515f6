//! Credentials that are wrong: told at once, once, and by whom they were provided.

use aurora_core::{Error, ErrorKind, Retry};
use test_kit::PgCluster;
use tokio::task::block_in_place;

use super::source::Source;
use super::stand::{FIRST, add_user, config, connect, scene, set_password};
use super::{ADAPTERS, ALWAYS_ANEW};

fn refusals(kit: &PgCluster) -> usize {
    let log = kit.log_tail(0).unwrap();
    log.lines().filter(|line| line.contains("password authentication failed")).count()
}

fn refused(kit: &PgCluster, source: &Source) -> Error {
    connect(config(kit, "").credentials(source.clone())).expect_err("it is wrong")
}

#[test]
fn wrong_credentials_are_tried_once_and_named_by_their_source() {
    let kit = PgCluster::builder().start().unwrap();
    add_user(&kit);
    let source = Source::of("planted-wrong");
    let error = refused(&kit, &source);
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Authentication, Retry::Never));
    let text = format!("{error} {error:?}");
    assert!(text.contains("the test's own source") && text.contains("28P01"), "{text}");
    assert!(!text.contains("planted-wrong"), "{text}");
    assert_eq!(refusals(&kit), 1, "one login");
    assert_eq!(source.asked(), 2, "and one more look at what is provided");
}

/// One session after the other; open connections and the monitor go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_behind_the_source_fails_fast_in_every_adapter() {
    for (name, open) in ADAPTERS {
        let source = Source::of(FIRST);
        let scene = scene(open, 1, ALWAYS_ANEW, source.clone()).await;
        let mut held = scene.guest().await;
        held.execute("SET lock_timeout = '5s'").await.unwrap();
        let before = scene.kit(refusals);
        scene.kit(|kit| set_password(kit, "planted-other"));
        let mut guest = scene.guest().await;
        for _ in 0..3 {
            let failure = guest.execute("INSERT INTO items (name) VALUES ('d')").await.unwrap_err();
            assert!(failure.text.contains("the test's own source"), "{name}: {failure}");
            assert_eq!(failure.retry, Retry::Never, "{name}: {failure}");
            assert!(!failure.text.contains(FIRST), "{name}: {failure}");
        }
        assert_eq!(scene.kit(refusals), before + 1, "{name}: one login");
        held.execute("INSERT INTO items (name) VALUES ('e')").await.unwrap();
        assert!(scene.cluster.topology().writer().is_some(), "{name}: the monitor goes on");
        block_in_place(|| drop((held, guest)));
    }
}

#[test]
fn two_sources_or_no_user_are_problems_of_the_configuration() {
    let kit = PgCluster::builder().start().unwrap();
    let both = config(&kit, "").password("planted").credentials(Source::of("planted"));
    let error = both.build().expect_err("two sources");
    assert!(error.to_string().contains("remove one"), "{error}");
    assert!(!format!("{error:?}").contains("planted"), "{error:?}");
}
