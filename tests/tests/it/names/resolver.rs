//! C2: the resolver fails, or never answers.

use std::time::{Duration, Instant};

use aurora_core::{ErrorKind, Health, Outcome};
use aurora_tests::stand::pool;
use aurora_tests::{ITEMS, LIMIT, Manager, eventually, items};
use diesel::prelude::*;
use test_kit::PgCluster;

use super::book::{Book, Mood};

/// More than the deadline of connecting, which is 2 s by default and what a probe may take.
const PROMPT: Duration = Duration::from_secs(5);

const HOSTS: [&str; 3] = ["a.test", "b.test", "c.test"];

fn book(kit: &PgCluster) -> Book {
    let book = Book::default();
    for (index, host) in HOSTS.iter().enumerate() {
        book.write(host, &[kit.address(index).0]);
    }
    book
}

/// Once the instances are known, all reconnects and a failover work with a resolver in `mood`.
#[track_caller]
fn survives(mood: Mood) {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let book = book(&kit);
    let cluster = book.connect(&kit, &HOSTS, "probe_interval=100ms").unwrap();
    eventually("all instances are online", || cluster.topology().readers().len() == 2);
    let sessions = pool(&Manager::new(cluster.clone()), 2);
    let write = || {
        let session = &mut sessions.get().unwrap();
        diesel::insert_into(items::table).values(items::name.eq("a")).execute(session)
    };
    assert_eq!(write(), Ok(1));
    book.set(mood);
    kit.kill_and_promote(1).unwrap();
    eventually("the new writer is found", || {
        cluster.topology().writer().is_some_and(|writer| writer.ip() == Some(kit.address(1).0))
    });
    assert_eq!(write(), Ok(1));
    kit.rejoin(0).unwrap();
    kit.restart(2).unwrap();
    // The old writer is another process, so this took new connections to it.
    eventually("everybody was reached again", || {
        let topology = cluster.topology();
        topology.readers().len() == 2
            && topology.instances().iter().all(|i| i.health() == Health::Online)
    });
    assert!(book.refused() > 0, "the resolver was never asked");
    assert_eq!(book.most_at_once(), 1);
    assert_eq!(write(), Ok(1));
    let found = items::table.count().get_result::<i64>(&mut sessions.get().unwrap());
    assert_eq!(found, Ok(3));
}

#[test]
fn a_resolver_that_fails_does_not_matter_once_the_instances_are_known() {
    survives(Mood::Fails);
}

#[test]
fn a_silent_resolver_does_not_matter_once_the_instances_are_known() {
    survives(Mood::Silent);
}

#[test]
fn before_the_instances_are_known_the_error_names_the_host_and_the_remedy() {
    let kit = PgCluster::builder().start().unwrap();
    let cases = [
        (Mood::Answers, "NXDOMAIN", "check the host name"),
        (Mood::Fails, "SERVFAIL", "check the host name"),
        (Mood::Silent, "the resolver has not answered", "IP address instead of the name"),
    ];
    for (mood, cause, remedy) in cases {
        let book = Book::default();
        book.set(mood);
        let begun = Instant::now();
        let error = book.connect(&kit, &["nobody.test"], "").unwrap_err();
        assert!(begun.elapsed() < PROMPT, "took {:?}: {error}", begun.elapsed());
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
        let text = error.to_string();
        assert!(["nobody.test", cause, remedy].iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn one_host_that_is_known_to_nobody_does_not_keep_the_others_from_serving() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    let book = book(&kit);
    let hosts = ["a.test", "b.test", "nobody.test"];
    let cluster = book.connect(&kit, &hosts, "").unwrap();
    assert_eq!(cluster.wait_for_writer_blocking(LIMIT).unwrap().as_str(), "a.test:5432");
    let text = cluster.status().to_string();
    assert!(text.contains("nobody.test"), "{text}");
}
