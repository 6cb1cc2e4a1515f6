//! What an operator sees and does.

use std::time::{Duration, Instant};

use aurora_core::{Because, ErrorKind, Event, Health};
use aurora_tests::events_until;
use aurora_tests::stand::Stand;
use diesel::connection::SimpleConnection as _;

#[test]
fn an_instance_taken_offline_gets_no_statement_until_it_is_brought_back() {
    let stand = Stand::new(3);
    let mut events = stand.cluster.events();
    stand.cluster.instance(stand.id(1)).take_offline().unwrap();
    let read = || {
        (0..40).for_each(|_| stand.session().batch_execute("SELECT 1").unwrap());
    };
    assert_eq!(stand.counting(read), [0, 0, 40]);
    assert!(stand.cluster.status().to_string().contains("offline"));
    stand.cluster.instance(stand.id(1)).bring_online().unwrap();
    let [writer, one, two] = stand.counting(read);
    assert!(writer == 0 && one > 0 && two > 0, "{writer} {one} {two}");
    for online in [false, true] {
        let changed = Event::OnlineChanged { instance: stand.id(1), online };
        events_until(&mut events, |event| *event == changed);
    }
    let error = stand.cluster.instance("no-such").take_offline().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownInstance);
    let text = error.to_string();
    assert!((0..3).all(|index| text.contains(&stand.kit.name(index))), "{text}");
}

#[test]
fn a_writer_taken_offline_lets_writes_wait_and_reads_go_on() {
    let stand = Stand::with(test_kit::PgCluster::builder().instances(2), "failover_timeout=300ms");
    stand.seed(aurora_tests::ITEMS);
    stand.cluster.instance(stand.id(0)).take_offline().unwrap();
    let session = &mut stand.session();
    let error = session.batch_execute("INSERT INTO items VALUES (1, 'a')").unwrap_err();
    assert_eq!(aurora_diesel::outcome(&error), aurora_diesel::Outcome::NotApplied, "{error}");
    session.batch_execute("SELECT * FROM items").unwrap();
    stand.cluster.instance(stand.id(0)).bring_online().unwrap();
    session.batch_execute("INSERT INTO items VALUES (1, 'a')").unwrap();
}

#[test]
fn status_has_every_field_and_fits_a_terminal() {
    let stand = Stand::new(3);
    stand.seed(aurora_tests::ITEMS);
    let session = &mut stand.session();
    session.batch_execute("INSERT INTO items VALUES (1, 'a')").unwrap();
    session.batch_execute("SELECT 1").unwrap();
    let status = stand.cluster.status();
    let json = serde_json::to_value(&status).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let mut expected = [
        "cluster",
        "generation",
        "degraded",
        "writer",
        "reads_without_reader",
        "monitor_restarts",
        "reads_without_fresh_reader",
        "reads_that_waited_for_freshness",
        "rds_problem",
        "instances",
    ];
    expected.sort_unstable();
    assert_eq!(keys(&json), expected);
    let mut expected = [
        "instance",
        "address",
        "role",
        "health",
        "online",
        "epoch",
        "lag_seconds",
        "fresh_seconds_ago",
        "queries",
        "writes",
        "errors",
        "in_flight",
        "connections",
        "latency_seconds",
        "availability_zone",
        "class",
        "promotion_tier",
        "rds_status",
        "outside_endpoint",
        "last_error",
    ];
    expected.sort_unstable();
    let instances = json["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 3);
    assert!(instances.iter().all(|instance| keys(instance) == expected), "{json:#}");
    assert_eq!(json["writer"], stand.kit.name(0));
    assert_eq!((&instances[0]["role"], &instances[0]["writes"]), (&"writer".into(), &1.into()));
    let text = status.to_string();
    // The head, three instances, and where the read of what was just written went.
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("0 without a reader, 1 without a fresh one"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
}

#[test]
fn explain_says_where_a_statement_would_go_and_why() {
    let stand = Stand::new(2);
    let read = stand.cluster.explain("SELECT 1");
    assert_eq!((read.route, read.because), ("reader", Some(Because::IsReader)));
    assert_eq!(read.instance, Some(stand.id(1)));
    assert!(read.rerunnable);
    let write = stand.cluster.explain("DELETE FROM items");
    assert_eq!((write.route, write.because), ("writer", Some(Because::IsWriter)));
    assert_eq!(write.instance, Some(stand.id(0)));
    assert!(!write.rerunnable);
    let (text, name) = (write.to_string(), stand.kit.name(0));
    assert!(text.contains("to a writer") && text.contains(&name), "{text}");
    stand.kit.kill(1).unwrap();
    stand.await_health(1, Health::Lost);
    let fallback = stand.cluster.explain("SELECT 1");
    assert_eq!((fallback.route, fallback.because), ("reader", Some(Because::NoReader)));
    assert_eq!(fallback.instance, Some(stand.id(0)));
    stand.kit.kill(0).unwrap();
    stand.await_health(0, Health::Lost);
    let nowhere = stand.cluster.explain("DELETE FROM items");
    assert!(nowhere.instance.is_none() && nowhere.to_string().contains("waits"), "{nowhere}");
}

#[test]
fn waiting_for_a_writer_ends_at_the_deadline_or_with_the_writer() {
    let stand = Stand::new(2);
    assert_eq!(stand.cluster.wait_for_writer_blocking(Duration::ZERO).unwrap(), stand.id(0));
    stand.kit.kill(0).unwrap();
    stand.await_health(0, Health::Lost);
    let begun = Instant::now();
    let error = stand.cluster.wait_for_writer_blocking(Duration::from_millis(300)).unwrap_err();
    let elapsed = begun.elapsed();
    assert_eq!(error.kind(), ErrorKind::NoWriter);
    let text = error.to_string();
    assert!((0..2).all(|index| text.contains(&stand.kit.name(index))), "{text}");
    let limits = Duration::from_millis(300)..Duration::from_millis(600);
    assert!(limits.contains(&elapsed), "{elapsed:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stand.cluster.wait_for_writer_blocking(aurora_tests::LIMIT));
        stand.kit.promote(1).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), stand.id(1));
    });
}
