//! What a client sees of a disturbed way to its server.

mod mishaps;
mod random;
mod slow;
mod tls;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use test_kit::chaos::{ChaosProxy, Direction, Fault};
use test_kit::{PgCluster, wait_until};

use crate::{SOON, assert_shows};

/// A silence is told from an answer that takes its time.
const SILENCE: Duration = Duration::from_millis(300);

/// A cluster behind proxies, with a table `t (id int PRIMARY KEY)`, and the writer's proxy.
fn proxied(instances: usize) -> (PgCluster, Arc<ChaosProxy>) {
    let cluster = PgCluster::builder().instances(instances).behind_proxies().start();
    let cluster = cluster.expect("a cluster");
    let mut client = through(&cluster, 0).expect("a connection");
    client.batch_execute("CREATE TABLE t (id int PRIMARY KEY)").expect("a table");
    drop(client);
    let proxy = cluster.proxy(0);
    assert!(wait_until(SOON, || proxy.stats().open == 0));
    (cluster, proxy)
}

fn config(cluster: &PgCluster, index: usize) -> Config {
    let mut config: Config = cluster.instance_url(index).parse().expect("a URL");
    config.connect_timeout(SOON);
    config
}

/// A connection through the proxy.
fn through(cluster: &PgCluster, index: usize) -> Result<Client, postgres::Error> {
    config(cluster, index).connect(NoTls)
}

/// Runs a call on a thread of its own; its result comes when it comes.
fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || drop(sender.send(call())));
    receiver
}

fn assert_silent<T>(call: &Receiver<T>) {
    assert!(matches!(call.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout)), "an answer");
}

/// The operating system's error below a driver's one.
pub(crate) fn io_kind(error: &postgres::Error) -> Option<ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

fn insert(id: i32) -> String {
    format!("INSERT INTO t VALUES ({id})")
}

#[test]
fn clients_meet_proxies_and_the_kit_meets_servers() {
    let (cluster, proxy) = proxied(3);
    let (address, port) = cluster.address(0);
    assert_eq!(proxy.address(), (address, port).into());
    assert_ne!(proxy.address(), proxy.target());
    assert_eq!(proxy.address().port(), proxy.target().port());
    assert_eq!(cluster.name(0), proxy.address().to_string());
    assert!(cluster.url().contains(&proxy.address().to_string()));
    assert!(cluster.direct_url(0).contains(&proxy.target().to_string()));
    let before = proxy.stats().accepted;
    let mut direct = cluster.client(0).expect("a connection");
    let standbys = "SELECT application_name FROM pg_stat_replication ORDER BY 1";
    let names: Vec<String> =
        direct.query(standbys, &[]).expect("rows").iter().map(|row| row.get(0)).collect();
    assert_eq!(names, [1, 2].map(|index| cluster.address(index).0.to_string()));
    assert_eq!(proxy.stats().accepted, before);
    through(&cluster, 0).expect("a connection").batch_execute(&insert(1)).expect("an insert");
    assert_eq!(proxy.stats().accepted, before + 1);
    cluster.kill_and_promote(1).expect("a failover");
    let mut writer = through(&cluster, 1).expect("a connection");
    writer.batch_execute(&insert(2)).expect("an insert");
    cluster.rejoin(0).expect("a return");
    assert_shows(&cluster, 0, &[1, 2]);
    let added = cluster.add_reader().expect("a reader");
    let row =
        through(&cluster, added).expect("a connection").query_one("SELECT max(id) FROM t", &[]);
    assert_eq!(row.expect("a row").get::<_, i32>(0), 2);
}

#[test]
fn connects_are_refused_while_the_server_does_not_run() {
    let (cluster, proxy) = proxied(2);
    let refused = || {
        let error = through(&cluster, 1).err().expect("no server");
        assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionRefused), "{error:?}");
    };
    cluster.stop(1).expect("a stop");
    refused();
    cluster.start(1).expect("a start");
    through(&cluster, 1).expect("a connection");
    let mut session = through(&cluster, 1).expect("a connection");
    cluster.kill(1).expect("a kill");
    refused();
    assert!(session.simple_query("SELECT 1").is_err());
    cluster.start(1).expect("a start");
    through(&cluster, 1).expect("a connection");
    proxy.set(Fault::Refuse).expect("a fault");
    let error = through(&cluster, 0).err().expect("no connection");
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionRefused), "{error:?}");
    proxy.heal().expect("healed");
    through(&cluster, 0).expect("a connection");
}

#[test]
fn a_blackhole_is_silent_and_loses_nothing_that_it_held() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    proxy.set(Fault::Blackhole(Direction::Both)).expect("a fault");
    let answer = aside(move || client.batch_execute(&insert(1)));
    let connect = TcpStream::connect_timeout(&proxy.address(), SILENCE);
    assert_eq!(connect.expect_err("an answer").kind(), ErrorKind::TimedOut);
    assert_silent(&answer);
    assert_shows(&cluster, 0, &[]);
    let error = config(&cluster, 0).connect_timeout(SILENCE).connect(NoTls).err();
    let error = error.expect("no connection");
    assert_eq!(io_kind(&error), Some(ErrorKind::TimedOut), "{error:?}");
    proxy.heal().expect("healed");
    answer.recv_timeout(SOON).expect("an answer").expect("an insert");
    assert_shows(&cluster, 0, &[1]);
    through(&cluster, 0).expect("a connection");
}

#[test]
fn a_blackhole_of_replies_lets_the_write_through() {
    let (cluster, proxy) = proxied(1);
    let mut client = through(&cluster, 0).expect("a connection");
    proxy.set(Fault::Blackhole(Direction::ToClient)).expect("a fault");
    let answer = aside(move || client.batch_execute(&insert(1)));
    assert_shows(&cluster, 0, &[1]);
    assert_silent(&answer);
    proxy.reset_all();
    let error = answer.recv_timeout(SOON).expect("an end").expect_err("no answer");
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
}

#[test]
fn a_blackhole_can_come_and_go_and_connects_are_answered_again() {
    let (_cluster, proxy) = proxied(1);
    for _ in 0..20 {
        proxy.set(Fault::Blackhole(Direction::ToServer)).expect("a fault");
        let short = Duration::from_millis(50);
        assert!(TcpStream::connect_timeout(&proxy.address(), short).is_err());
        proxy.set(Fault::Refuse).expect("a fault");
        let error = TcpStream::connect_timeout(&proxy.address(), SOON).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        proxy.heal().expect("healed");
        TcpStream::connect_timeout(&proxy.address(), SOON).expect("a connection");
    }
    assert!(wait_until(SOON, || proxy.stats().open == 0), "{:?}", proxy.stats());
}

#[test]
fn reset_all_resets_the_connections_that_are_open_and_no_later_one() {
    let (cluster, proxy) = proxied(1);
    let mut clients: Vec<Client> =
        (0..3).map(|_| through(&cluster, 0).expect("a connection")).collect();
    assert_eq!(proxy.stats().open, 3);
    proxy.reset_all();
    for client in &mut clients {
        let error = client.simple_query("SELECT 1").expect_err("reset");
        assert!(client.is_closed() || error.is_closed(), "{error:?}");
    }
    assert!(wait_until(SOON, || proxy.stats().open == 0));
    through(&cluster, 0).expect("a connection").simple_query("SELECT 1").expect("an answer");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    let mut watcher = cluster.client(0).expect("a connection");
    let mut count = || -> i64 { watcher.query_one(sessions, &[]).expect("a row").get(0) };
    assert!(wait_until(SOON, || count() == 1), "the server knows of the end");
}

#[test]
fn a_cluster_endpoint_moves_for_new_connections_only() {
    let (cluster, proxy) = proxied(2);
    let endpoint = cluster.endpoint(0).expect("an endpoint");
    assert_eq!(endpoint.address().port(), cluster.address(0).1);
    let url = format!("postgres://app:{}@{}/app", test_kit::PASSWORD, endpoint.address());
    let connect = || Client::connect(&url, NoTls);
    let mut old = connect().expect("a connection");
    assert_eq!(proxy.stats().open, 1, "through the instance's proxy");
    endpoint.set_target(cluster.address(1)).expect("another target");
    assert!(crate::in_recovery(&mut connect().expect("a connection")));
    assert!(!crate::in_recovery(&mut old));
    cluster.stop(1).expect("a stop");
    let error = connect().err().expect("no server");
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    endpoint.set_target(cluster.address(0)).expect("the first target");
    assert!(!crate::in_recovery(&mut connect().expect("a connection")));
}

#[test]
fn the_verbs_can_be_called_from_asynchronous_code() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let target = listener.local_addr().expect("an address");
        let proxy = ChaosProxy::start(([127, 0, 0, 1], 0), target).expect("a proxy");
        let connect = || tokio::net::TcpStream::connect(proxy.address());
        proxy.set(Fault::Blackhole(Direction::Both)).expect("a fault");
        tokio::time::timeout(SILENCE, connect()).await.expect_err("no answer");
        proxy.set(Fault::Refuse).expect("a fault");
        assert_eq!(connect().await.expect_err("refused").kind(), ErrorKind::ConnectionRefused);
        proxy.heal().expect("healed");
        let client = connect().await.expect("a connection");
        let (server, _) = listener.accept().await.expect("a connection");
        proxy.reset_all();
        for stream in [client, server] {
            let end = tokio::time::timeout(SOON, stream.readable()).await;
            end.expect("in time").expect("an event");
            let error = stream.try_read(&mut [0]).expect_err("a reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn connections_and_bytes_are_counted() {
    let (cluster, proxy) = proxied(1);
    let before = proxy.stats();
    proxy.forget_peaks();
    let clients: Vec<Client> =
        (0..5).map(|_| through(&cluster, 0).expect("a connection")).collect();
    let stats = proxy.stats();
    assert_eq!((stats.accepted - before.accepted, stats.open, stats.most_open), (5, 5, 5));
    assert!((1..=5).contains(&stats.most_accepted_in_a_second), "{stats:?}");
    assert!(stats.bytes_to_server > before.bytes_to_server + 5 * 50, "{stats:?}");
    assert!(stats.bytes_to_client > before.bytes_to_client + 5 * 50, "{stats:?}");
    drop(clients);
    assert!(wait_until(SOON, || proxy.stats().open == 0));
    assert_eq!(proxy.stats().most_open, 5);
}
