//! Causal tokens: what one process wrote, another one sees, or is told why not.

use std::time::{Duration, Instant};

use aurora_core::{CausalToken, Cluster, Config, ErrorKind, Need};
use aurora_tests::{LIMIT, eventually};
use test_kit::MariaDbCluster;

use super::stand::Stand;

/// A token of everything written before now, as a text: for another process.
fn token(stand: &Stand) -> CausalToken {
    let now = Instant::now();
    let token = stand.cluster.token_blocking(Some(now), now + LIMIT).unwrap();
    token.to_string().parse().unwrap()
}

/// What another process has of the same cluster.
fn other(stand: &Stand) -> Cluster {
    Cluster::connect_blocking(Config::from_url(&stand.kit.url()).unwrap()).unwrap()
}

/// Whether a reader serves reads that require `since`.
fn may_read(cluster: &Cluster, since: Instant) -> bool {
    let topology = cluster.topology();
    let need = Need::Read { fresh_as_of: Some(since) };
    let writer = topology.writer().map(|writer| writer.id().clone());
    cluster.route(&topology, need).is_some_and(|picked| Some(picked.id()) != writer.as_ref())
}

/// What comes of the token here.
fn redeemed(cluster: &Cluster, token: &CausalToken) -> Result<(), ErrorKind> {
    let redeemed = cluster.redeem_blocking(token, Instant::now() + LIMIT);
    redeemed.map(drop).map_err(|error| error.kind())
}

#[test]
fn another_process_reads_what_was_written_from_a_reader_that_has_it() {
    let stand = Stand::new(2);
    let other = other(&stand);
    stand.kit.pause_replay(1).unwrap();
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    let token = token(&stand);
    assert_eq!(
        token.origin().map(str::to_owned),
        stand.kit.client(0).unwrap().column("SELECT CONCAT(@@server_id)").unwrap().pop()
    );
    let required = other.redeem_blocking(&token, Instant::now() + LIMIT).unwrap();
    // It is asked twice, and still has nothing.
    let asked = || {
        let topology = other.topology();
        topology.instance(&stand.id(1)).and_then(|reader| reader.confirmed_at())
    };
    for _ in 0..2 {
        let now = Instant::now();
        eventually("the reader is asked", || asked() > Some(now));
        assert!(!may_read(&other, required));
    }
    stand.kit.resume_replay(1).unwrap();
    eventually("the reader has it", || may_read(&other, required));
    let mut reader = stand.kit.client(1).unwrap();
    assert_eq!(reader.column("SHOW TABLES").unwrap(), ["t"]);
}

#[test]
fn a_token_of_another_cluster_is_refused() {
    let (one, two) = (Stand::new(1), Stand::new(1));
    assert_eq!(redeemed(&two.cluster, &token(&one)), Err(ErrorKind::WrongCluster));
    assert_eq!(redeemed(&one.cluster, &token(&one)), Ok(()));
}

#[test]
fn what_a_failover_lost_is_not_taken_for_what_was_written_after_it() {
    let stand = Stand::with(MariaDbCluster::builder().instances(3).synchronous(false), "");
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    stand.kit.await_readers().unwrap();
    let kept = token(&stand);
    for reader in [1, 2] {
        // From here on nobody receives anything.
        stand.kit.superuser(reader).unwrap().run("STOP SLAVE IO_THREAD").unwrap();
    }
    (1..=5).for_each(|id| stand.write(&format!("INSERT INTO t VALUES ({id})")));
    let lost = token(&stand);
    assert!(lost.position() > kept.position());
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    // The numbers of what was lost are given again.
    (11..=20).for_each(|id| stand.write(&format!("INSERT INTO t VALUES ({id})")));
    let after = token(&stand);
    assert!(after.position() > lost.position());
    assert_eq!(redeemed(&stand.cluster, &kept), Ok(()), "it was on the new writer");
    assert_eq!(redeemed(&stand.cluster, &lost), Err(ErrorKind::HistoryLost));
    assert_eq!(redeemed(&stand.cluster, &after), Ok(()));
    // Who came later knows of the present reign alone.
    let late = other(&stand);
    assert_eq!(redeemed(&late, &after), Ok(()));
    assert_eq!(redeemed(&late, &kept), Err(ErrorKind::HistoryLost));
    assert_eq!(redeemed(&late, &lost), Err(ErrorKind::HistoryLost));
}

/// A reader that is promoted replays what it has received before it takes writes.
#[test]
fn what_the_new_writer_had_received_alone_is_not_lost() {
    let stand = Stand::new(2);
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    stand.kit.pause_replay(1).unwrap();
    stand.write("INSERT INTO t VALUES (1)");
    let received = token(&stand);
    stand.kit.kill_and_promote(1).unwrap();
    stand.await_writer(1);
    assert_eq!(redeemed(&stand.cluster, &received), Ok(()));
    let mut writer = stand.kit.client(1).unwrap();
    assert_eq!(writer.column("SELECT id FROM t").unwrap(), ["1"]);
}

#[test]
fn a_token_of_the_new_writer_waits_for_a_process_that_has_not_heard_of_it() {
    let stand = Stand::new(2);
    stand.write("CREATE TABLE t (id INT PRIMARY KEY)");
    let other = other(&stand);
    stand.kit.switchover(1).unwrap();
    stand.await_writer(1);
    stand.write("INSERT INTO t VALUES (1)");
    assert_eq!(redeemed(&other, &token(&stand)), Ok(()));
    let before = token(&stand);
    stand.kit.switchover(0).unwrap();
    stand.await_writer(0);
    assert_eq!(redeemed(&stand.cluster, &before), Ok(()), "a switchover loses nothing");
}

#[test]
fn without_a_domain_of_their_own_nobody_knows_whose_token_it_is() {
    let stand = Stand::with(MariaDbCluster::builder().setting("gtid_domain_id", "0"), "");
    let now = Instant::now();
    let error = stand.cluster.token_blocking(Some(now), now + Duration::from_secs(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("gtid_domain_id"), "{error}");
}
