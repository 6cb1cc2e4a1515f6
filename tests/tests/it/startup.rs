//! Whatever is wrong at the start is told at once, with the remedy, and never with the password.

use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, Error, ErrorKind, Event, Outcome};
use aurora_tests::stand::Stand;
use test_kit::{PASSWORD, PgCluster, TopologyLie};

/// Longer than the deadlines of connecting by default (2 s and 1 s), shorter than any time-out of
/// the operating system.
const PROMPT: Duration = Duration::from_secs(4);

/// Connects in vain; the error must come promptly, be of that kind and say these words.
#[track_caller]
fn refused(url: &str, kind: ErrorKind, words: &[&str]) -> Error {
    let begun = Instant::now();
    let result = Config::from_url(url).and_then(Cluster::connect_blocking);
    let elapsed = begun.elapsed();
    let error = result.map(|cluster| cluster.status()).expect_err("it must not connect");
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert_eq!(error.outcome(), Outcome::NotApplied, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    assert!(elapsed < PROMPT, "took {elapsed:?}: {text}");
    error
}

#[test]
fn a_bad_url_is_refused_with_the_form_of_a_good_one() {
    let form = "postgres://user:password@host:port/database";
    refused("db1,db2", ErrorKind::Configuration, &["scheme", form]);
    refused("mssql://app@db1/app", ErrorKind::Configuration, &["`mssql`", "postgres://"]);
    refused("postgres://app@/app", ErrorKind::Configuration, &["host"]);
    refused("postgres://", ErrorKind::Configuration, &["no host is given", "postgres://user@host"]);
    refused("postgres://app@db1:99999/app", ErrorKind::Configuration, &["port"]);
    refused("postgres://app@db1,db1/app", ErrorKind::Configuration, &["twice", "remove one"]);
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_known_one() {
    let words = ["`freshnes`", "the nearest is `freshness`"];
    refused("postgres://app@db1/app?freshnes=strong", ErrorKind::Configuration, &words);
    // All that is wrong is told at once.
    let both = "postgres://app@db1/app?freshness=maybe&probe_intervall=1s";
    refused(both, ErrorKind::Configuration, &["maybe", "strong", "`probe_interval`"]);
}

#[test]
fn hosts_that_cannot_be_reached_are_named() {
    let kit = PgCluster::builder().start().unwrap();
    let (address, port) = kit.address(0);
    let remedy = "check the hosts and ports of the URL";
    let closed = format!("postgres://app:{PASSWORD}@{address}:1/app");
    let place = format!("{address}:1");
    let words = [place.as_str(), "Connection refused", remedy];
    refused(&closed, ErrorKind::ConnectionLost, &words);
    let unknown = &format!("postgres://app:{PASSWORD}@no-such-host.invalid/app");
    refused(unknown, ErrorKind::ConnectionLost, &["no-such-host.invalid", remedy]);
    // One that can be reached is enough.
    let mixed = format!(
        "postgres://app:{PASSWORD}@no-such-host.invalid:1,{address}:1,{address}:{port}/app"
    );
    let begun = Instant::now();
    let cluster = Cluster::connect_blocking(Config::from_url(&mixed).unwrap()).unwrap();
    assert!(begun.elapsed() < PROMPT, "took {:?}", begun.elapsed());
    assert_eq!(cluster.status().writer, Some(kit.name(0).as_str().into()));
}

#[test]
fn bad_credentials_and_missing_privileges_are_refused_with_the_remedy() {
    let kit = PgCluster::builder().start().unwrap();
    let check = "check user, password and database of the URL";
    let wrong = kit.url().replace(PASSWORD, "wr0ng-passw0rd");
    let error = refused(&wrong, ErrorKind::Authentication, &["password", check]);
    assert!(!format!("{error} {error:?}").contains("wr0ng-passw0rd"));
    assert_eq!(error.instance(), Some(&kit.name(0).as_str().into()));
    let nowhere = format!("{}/no_such_database", kit.url().trim_end_matches("/app"));
    refused(&nowhere, ErrorKind::Authentication, &["no_such_database", "does not exist", check]);
    let revoke = "ALTER DATABASE app OWNER TO kit; REVOKE ALL ON DATABASE app FROM public, app";
    kit.superuser(0).unwrap().batch_execute(revoke).unwrap();
    let words = ["permission denied for database", "GRANT CONNECT ON DATABASE"];
    refused(&kit.url(), ErrorKind::Privilege, &words);
}

#[test]
fn a_topology_one_may_not_see_is_refused_with_the_grant_to_make() {
    let kit = PgCluster::builder().instances(2).aurora(true).start().unwrap();
    kit.lie(TopologyLie::PermissionDenied).unwrap();
    let words = ["GRANT EXECUTE", "aurora_replica_status"];
    refused(&kit.url(), ErrorKind::Privilege, &words);
    kit.lie(TopologyLie::None).unwrap();
    assert!(Cluster::connect_blocking(Config::from_url(&kit.url()).unwrap()).is_ok());
}

#[test]
fn a_cluster_without_a_writer_is_refused_and_its_instances_are_named() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    let names: [String; 3] = std::array::from_fn(|index| kit.name(index));
    let url = kit.url();
    kit.stop(0).unwrap();
    let words = [names[0].as_str(), &names[1], &names[2], "no writer", "promote one"];
    refused(&url, ErrorKind::NoWriter, &words);
}

#[test]
fn a_reader_alone_knows_no_writer_and_says_what_to_add() {
    let kit = PgCluster::builder().instances(2).start().unwrap();
    let name = kit.name(1);
    let words = [name.as_str(), "reader", "add the writer's address to the URL"];
    refused(&kit.instance_url(1), ErrorKind::NoWriter, &words);
}

#[test]
fn two_clusters_in_one_url_are_refused_with_the_host_to_remove() {
    let [one, two] = [(); 2].map(|()| PgCluster::builder().start().unwrap());
    let (address, port) = two.address(0);
    let url = format!("{},{address}:{port}/app", one.url().trim_end_matches("/app"));
    let words = ["belongs to another cluster", "remove it from the URL"];
    let error = refused(&url, ErrorKind::WrongCluster, &words);
    assert!(error.instance().is_some());
}

#[test]
fn the_password_is_never_shown() {
    const PLANTED: &str = "pl4nted-p4ssword";
    let stand = Stand::new(2);
    let alter = format!("ALTER ROLE app PASSWORD '{PLANTED}'");
    stand.kit.superuser(0).unwrap().batch_execute(&alter).unwrap();
    aurora_tests::stand::caught_up(&stand.kit);
    let url = stand.kit.url().replace(PASSWORD, PLANTED);
    let config = Config::from_url(&url).unwrap();
    let cluster = Cluster::connect_blocking(config.clone()).unwrap();
    let mut events = cluster.events();
    stand.kit.kill(0).unwrap();
    let seen = aurora_tests::events_until(&mut events, |event| {
        matches!(event, Event::HealthChanged { .. })
    });
    let error = cluster.wait_for_writer_blocking(Duration::from_millis(100)).map(drop);
    let manager = aurora_tests::Manager::new(cluster.clone());
    let status = cluster.status();
    let json = serde_json::to_string(&status).unwrap();
    let mut shown = format!("{config:?} {cluster:?} {status} {status:?} {json} {manager:?} ");
    shown += &format!("{:?} {:?} {error:?}", manager.session(), cluster.topology());
    for event in seen {
        shown += &format!("{event} {event:?} {}", serde_json::to_string(&event).unwrap());
    }
    let bad = Config::from_url(&format!("{url}?nonsense=1&password={PLANTED}")).unwrap_err();
    shown += &format!("{bad} {bad:?}");
    assert!(shown.contains("127."), "{shown}");
    assert!(!shown.contains(PLANTED), "{shown}");
}
