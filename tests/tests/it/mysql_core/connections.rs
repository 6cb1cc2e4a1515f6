//! Connections of adapters, and of monitors: logins, roles, and what keeps them out.

use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, Error, ErrorKind, OwnSocket, Role};
use aurora_tests::{LIMIT, eventually};
use futures_util::future::join_all;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use test_kit::{MariaDbCluster, PASSWORD};

use super::stand::Stand;

/// Opens a connection to the kit's instance within the limit, and asks one question.
fn ask(stand: &Stand, index: usize, sql: &str) -> Result<String, Error> {
    within(stand, index, LIMIT, async |mut conn: Conn| {
        conn.query_first(sql).await.unwrap().unwrap()
    })
}

fn within<R>(
    stand: &Stand,
    index: usize,
    limit: Duration,
    work: impl AsyncFnOnce(Conn) -> R,
) -> Result<R, Error> {
    stand.open(&stand.instance(index), limit, work)
}

/// Connects the library in vain.
fn refused(url: &str) -> Error {
    let connected = Config::from_url(url).and_then(Cluster::connect_blocking);
    connected.map(|cluster| cluster.status()).expect_err("it must not connect")
}

#[test]
fn a_connection_leads_to_the_instance_and_its_role() {
    let stand = Stand::new(2);
    for index in [0, 1] {
        let (address, _) = stand.kit.address(index);
        let server = address.to_string().rsplit('.').next().unwrap().to_owned();
        assert_eq!(ask(&stand, index, "SELECT CONCAT(@@server_id)").unwrap(), server);
    }
    assert_eq!(ask(&stand, 0, "SELECT DATABASE()").unwrap(), "app");
}

/// The server sees them all at ports of the proxy, which may be those of others at this end.
#[test]
fn each_of_many_at_once_knows_its_own_socket_whatever_changes_ports() {
    let stand = Stand::with(MariaDbCluster::builder().behind_proxies(), "");
    let writer = stand.instance(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let end = Instant::now() + LIMIT;
    let opened = runtime.block_on(async {
        join_all((0..40).map(|_| stand.cluster.connect_mysql(&writer, end))).await
    });
    let mut opened: Vec<(Conn, OwnSocket)> = opened
        .into_iter()
        .map(Result::unwrap)
        .map(|(conn, socket)| (conn, socket.expect("it is found")))
        .collect();
    for (_, socket) in opened.iter().step_by(2) {
        socket.shut_down();
    }
    for (index, (conn, socket)) in opened.iter_mut().enumerate() {
        assert_eq!(socket.user_timeout(), Some(stand.cluster.config().tcp_user_timeout()));
        assert_eq!(runtime.block_on(conn.ping()).is_ok(), index % 2 == 1, "{index}");
    }
}

#[test]
fn a_writer_that_takes_no_writes_is_not_handed_out() {
    let stand = Stand::new(2);
    let known = stand.instance(0);
    assert_eq!(known.role(), Role::Writer);
    stand.kit.superuser(0).unwrap().run("SET GLOBAL read_only = ON").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // As it was known before.
    let opened = runtime.block_on(stand.cluster.connect_mysql(&known, Instant::now() + LIMIT));
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::ReadOnly);
    eventually("the monitor sees it", || stand.cluster.topology().writer().is_none());
}

#[test]
fn an_instance_that_hangs_is_given_up_at_the_deadline() {
    let stand = Stand::new(2);
    stand.kit.pause(1).unwrap();
    let error = within(&stand, 1, Duration::from_millis(200), async |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
    stand.kit.resume(1).unwrap();
}

#[test]
fn a_login_that_is_refused_says_what_to_check() {
    let kit = MariaDbCluster::builder().start().unwrap();
    let url = kit.url();
    let wrong = refused(&url.replace(PASSWORD, "not-that"));
    assert_eq!(wrong.kind(), ErrorKind::Authentication, "{wrong}");
    assert!(
        wrong.to_string().contains("1045") && !wrong.to_string().contains("not-that"),
        "{wrong}"
    );
    let (place, _) = url.rsplit_once('/').unwrap();
    let elsewhere = refused(&format!("{place}/no_such_database"));
    assert_eq!(elsewhere.kind(), ErrorKind::Authentication, "{elsewhere}");
    let without = refused(&format!("{url}?sslmode=require"));
    assert_eq!(without.kind(), ErrorKind::Tls, "{without}");
}

#[test]
fn a_url_of_the_other_family_is_told_apart() {
    let kit = MariaDbCluster::builder().start().unwrap();
    let error = refused(&kit.url().replace("mysql://", "postgres://"));
    assert!(!error.to_string().contains(PASSWORD), "{error}");
}

#[test]
fn a_full_server_is_alive_and_says_that_it_is_full() {
    let stand = Stand::new(2);
    let mut kit = stand.kit.superuser(0).unwrap();
    kit.run("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1").unwrap();
    let _only = stand.kit.client(0).unwrap();
    let full = ask(&stand, 0, "SELECT 'in'").unwrap_err();
    assert_eq!(full.kind(), ErrorKind::TooManyConnections, "{full}");
    kit.run("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0").unwrap();
    assert_eq!(ask(&stand, 0, "SELECT 'in'").unwrap(), "in");
    assert_eq!(stand.cluster.topology().writer().map(|w| w.id().clone()), Some(stand.id(0)));
}

#[test]
fn without_the_privilege_to_see_the_replication_the_switches_tell_the_role() {
    let stand = Stand::new(2);
    let mut kit = stand.kit.superuser(0).unwrap();
    kit.run(&format!("CREATE USER plain@'%' IDENTIFIED BY '{PASSWORD}'")).unwrap();
    kit.run("GRANT SELECT ON app.* TO plain@'%'").unwrap();
    stand.kit.await_readers().unwrap();
    let url = stand.kit.url().replace("//app:", "//plain:");
    let cluster = Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap();
    let other = Stand { cluster, kit: stand.kit };
    other.await_readers(1);
    assert_eq!(other.instance(0).role(), Role::Writer);
    let reader = other.instance(1);
    assert_eq!((reader.role(), reader.lag()), (Role::Reader, None), "it may not see the lag");
    eventually("its position makes it fresh", || other.instance(1).fresh_as_of().is_some());
}

#[test]
fn the_monitor_gives_its_name() {
    let stand = Stand::new(1);
    // Without the performance schema the attributes are not kept, but must not hurt either.
    let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'";
    let count = stand.kit.superuser(0).unwrap().column(sql).unwrap();
    assert_eq!(count, ["1"], "one connection for monitoring");
}
