//! Packets that are really lost, where the machine lets us.

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use test_kit::chaos::Direction;
use test_kit::{PacketLoss, PgCluster, wait_until};

use crate::chaos::io_kind;
use crate::cleanup::{VICTIM, kill, start_victim_that_tells};
use crate::{SOON, insert};

/// How long sent data may stay unacknowledged in these tests.
const UNACKNOWLEDGED: Duration = Duration::from_secs(1);

/// Tells why, where there is no packet filter.
fn is_missing() -> bool {
    let reason = PacketLoss::why_not();
    reason.inspect(|reason| println!("skipped: {reason}")).is_some()
}

fn config(cluster: &PgCluster, index: usize) -> Config {
    let mut config: Config = cluster.instance_url(index).parse().expect("a URL");
    config.connect_timeout(UNACKNOWLEDGED).tcp_user_timeout(UNACKNOWLEDGED);
    config
}

fn through(cluster: &PgCluster, index: usize) -> Result<Client, postgres::Error> {
    config(cluster, index).connect(NoTls)
}

fn proxied() -> PgCluster {
    let cluster = PgCluster::builder().instances(2).behind_proxies().start().expect("a cluster");
    let table = "CREATE TABLE t (id int PRIMARY KEY)";
    cluster.client(0).expect("a connection").batch_execute(table).expect("a table");
    cluster
}

/// The rules of the whole machine that name an address of the cluster.
fn rules(cluster: &PgCluster) -> Vec<String> {
    let network = cluster.address(0).0.to_string();
    let network = network.rsplit_once('.').expect("an IPv4 address").0.to_owned();
    rules_of(&format!(" {network}."))
}

fn rules_of(network: &str) -> Vec<String> {
    let output = Command::new("iptables").args(["-w", "5", "-S", "INPUT"]).output();
    let text = String::from_utf8(output.expect("iptables").stdout).expect("text");
    text.lines().filter(|line| line.contains(network)).map(str::to_owned).collect()
}

#[test]
fn lost_packets_end_what_a_silent_proxy_does_not() {
    if is_missing() {
        return;
    }
    let cluster = proxied();
    for direction in [Direction::Both, Direction::ToServer, Direction::ToClient] {
        let mut session = through(&cluster, 0).expect("a connection");
        session.simple_query("SELECT 1").expect("an answer");
        let loss = cluster.lose_packets(0, direction).expect("a packet filter");
        let error = session.simple_query("SELECT 1").expect_err("nothing arrives");
        assert_eq!(io_kind(&error), Some(ErrorKind::TimedOut), "{direction:?}: {error:?}");
        let error = through(&cluster, 0).err().expect("nobody answers");
        assert_eq!(io_kind(&error), Some(ErrorKind::TimedOut), "{direction:?}: {error:?}");
        // The kit, the replication and the other instance are not concerned.
        let mut writer = cluster.client(0).expect("the kit passes");
        insert(&mut writer, direction as i32);
        through(&cluster, 1).expect("the other one passes");
        drop(loss);
        assert!(rules(&cluster).is_empty());
        through(&cluster, 0).expect("a connection").simple_query("SELECT 1").expect("an answer");
    }
}

#[test]
fn one_connection_is_forgotten_and_the_others_pass() {
    if is_missing() {
        return;
    }
    let cluster = PgCluster::builder().instances(2).start().expect("a cluster");
    let [mut one, mut other] = [(); 2].map(|()| through(&cluster, 0).expect("a connection"));
    let row =
        one.query_one("SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()", &[]);
    let port: i32 = row.expect("a row").get(0);
    let _loss = cluster.lose_flows(0, &[port.try_into().expect("a port")]).expect("a filter");
    let error = one.simple_query("SELECT 1").expect_err("nothing arrives");
    assert_eq!(io_kind(&error), Some(ErrorKind::TimedOut), "{error:?}");
    other.simple_query("SELECT 1").expect("an answer");
    through(&cluster, 0).expect("a new one passes");
}

#[test]
fn packets_pass_again_after_a_panic() {
    if is_missing() {
        return;
    }
    let cluster = proxied();
    let panics = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _loss = cluster.lose_packets(0, Direction::Both).expect("a packet filter");
        assert_eq!(rules(&cluster).len(), 2);
        panic!("as a failing test does");
    }));
    assert!(panics.is_err());
    assert!(rules(&cluster).is_empty());
    through(&cluster, 0).expect("a connection");
}

#[test]
fn packets_pass_again_after_their_process_was_killed() {
    if is_missing() {
        return;
    }
    if std::env::var_os(VICTIM).is_some() {
        let cluster = PgCluster::builder().start().expect("a cluster");
        let _loss = cluster.lose_packets(0, Direction::Both).expect("a packet filter");
        println!("tells {}", cluster.address(0).0);
        std::thread::park_timeout(Duration::from_secs(60));
        return;
    }
    let test = "packets::packets_pass_again_after_their_process_was_killed";
    let (child, address) = start_victim_that_tells(test, "tells ");
    let rules = || rules_of(&format!(" {address}/"));
    assert_eq!(rules().len(), 2);
    kill(child);
    assert!(wait_until(SOON, || rules().is_empty()), "{:?}", rules());
}
