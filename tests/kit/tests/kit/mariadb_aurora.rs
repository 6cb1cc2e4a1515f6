//! MariaDB in Aurora's words, and behind proxies.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use test_kit::chaos::{Aim, Direction, Fault, Loss, Mishap};
use test_kit::{MariaDbCluster, PASSWORD, wait_until};

use crate::SOON;

/// The topology query of Aurora MySQL clients, in its usual wording.
const TOPOLOGY: &str = "SELECT SERVER_ID, CASE WHEN SESSION_ID = 'MASTER_SESSION_ID' THEN TRUE \
    ELSE FALSE END, CPU, REPLICA_LAG_IN_MILLISECONDS, LAST_UPDATE_TIMESTAMP \
    FROM information_schema.replica_host_status \
    WHERE time_to_sec(timediff(now(), LAST_UPDATE_TIMESTAMP)) <= 300 \
    OR SESSION_ID = 'MASTER_SESSION_ID'";

/// Does something with a connection through what is before an instance.
fn through<R>(cluster: &MariaDbCluster, index: usize, work: impl AsyncFnOnce(Conn) -> R) -> R {
    let opts = Opts::from_url(&cluster.instance_url(index)).expect("a URL");
    let opts = mysql_async::OptsBuilder::from_opts(opts).prefer_socket(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let within = async { work(Conn::new(opts).await.expect("a connection")).await };
        tokio::time::timeout(SOON, within).await.expect("an answer")
    })
}

fn aurora(instances: usize) -> MariaDbCluster {
    let cluster = MariaDbCluster::builder().instances(instances).aurora(true).start();
    cluster.expect("a cluster")
}

/// Name and "is the writer" of each row, as an instance tells them.
fn topology(cluster: &MariaDbCluster, index: usize) -> Vec<(String, bool)> {
    through(cluster, index, async |mut conn: Conn| {
        let row =
            |row: mysql_async::Row| (row.get(0).expect("a name"), row.get(1).expect("a role"));
        conn.query_map(TOPOLOGY, row).await.expect("rows")
    })
}

fn expected(writer: usize, count: usize) -> Vec<(String, bool)> {
    (0..count).map(|index| (format!("instance-{}", index + 1), index == writer)).collect()
}

#[test]
fn every_instance_knows_itself_and_the_others() {
    let cluster = aurora(3);
    for index in 0..3 {
        let own = through(&cluster, index, async |mut conn: Conn| {
            let shown: Option<(String, String)> =
                conn.query_first("SHOW VARIABLES LIKE 'aurora_version'").await.expect("a row");
            assert_eq!(shown.expect("a version").0, "aurora_version");
            // Also in a prepared statement.
            let sql = "SELECT @@aurora_server_id, @@innodb_read_only, ?";
            let row: Option<(String, u8, u8)> = conn.exec_first(sql, (7,)).await.expect("a row");
            row.expect("a row")
        });
        assert_eq!(own, (cluster.name(index), u8::from(index > 0), 7));
        assert_eq!(topology(&cluster, index), expected(0, 3));
    }
    // Past the front there is nothing of it.
    let unknown = cluster.client(0).expect("a connection").run("SELECT @@aurora_server_id");
    assert_eq!(unknown.expect_err("a refusal").mysql_errno(), Some(1193));
}

#[test]
fn the_topology_follows_failovers_and_says_the_lag_it_is_told() {
    let cluster = aurora(3);
    cluster.kill_and_promote(2).expect("a failover");
    for index in [1, 2] {
        assert_eq!(topology(&cluster, index), expected(2, 3));
    }
    cluster.rejoin(0).expect("it returns");
    cluster.switchover(0).expect("a switchover");
    assert_eq!(topology(&cluster, 1), expected(0, 3));
    let lag = || {
        let sql = "SELECT REPLICA_LAG_IN_MILLISECONDS FROM information_schema.replica_host_status \
                   WHERE SERVER_ID = @@aurora_server_id";
        through(&cluster, 1, async |mut conn: Conn| {
            conn.query_first::<Option<f64>, _>(sql).await.expect("a row").flatten()
        })
    };
    assert_eq!(lag(), None);
    cluster.tell_lag(1, Some(Duration::from_micros(20_500))).expect("a lag");
    assert_eq!(lag(), Some(20.5));
}

#[test]
fn what_is_not_auroras_passes_untouched() {
    let cluster = aurora(1);
    let long = "x".repeat(3_000_000);
    let back = through(&cluster, 0, async |mut conn: Conn| {
        conn.query_drop("CREATE TABLE t (a LONGTEXT)").await.expect("a table");
        conn.exec_drop("INSERT INTO t VALUES (?)", (long.as_str(),)).await.expect("a row");
        conn.query_drop(format!("INSERT INTO t VALUES ('{long}')")).await.expect("a row");
        conn.query::<String, _>("SELECT a FROM t").await.expect("rows")
    });
    assert!(back.len() == 2 && back.iter().all(|text| *text == long));
}

#[test]
fn proxies_hold_back_refuse_and_let_pass_again() {
    let cluster = MariaDbCluster::builder().instances(2).behind_proxies().start();
    let cluster = cluster.expect("a cluster");
    let (address, port) = cluster.address(1);
    assert_eq!(cluster.name(1), format!("{address}:{port}"));
    let answers = |index| {
        let connect =
            || std::net::TcpStream::connect_timeout(&cluster.address(index).into(), SOON / 50);
        connect().map_err(|error| error.kind())
    };
    through(&cluster, 1, async |mut conn: Conn| conn.ping().await.expect("an answer"));
    cluster.proxy(1).set(Fault::Blackhole(Direction::Both)).expect("a fault");
    assert_eq!(answers(1).expect_err("silence"), std::io::ErrorKind::TimedOut);
    cluster.proxy(1).heal().expect("no fault");
    cluster.kill(1).expect("a kill");
    assert_eq!(answers(1).expect_err("nobody"), std::io::ErrorKind::ConnectionRefused);
    cluster.start(1).expect("a start");
    through(&cluster, 1, async |mut conn: Conn| conn.ping().await.expect("an answer"));
    let endpoint = cluster.endpoint(0).expect("an endpoint");
    let reaches = |index: usize| {
        let url = format!("mysql://app:{PASSWORD}@{}/app", endpoint.address());
        let opts = Opts::from_url(&url).expect("a URL");
        let opts = mysql_async::OptsBuilder::from_opts(opts).prefer_socket(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let id: Option<String> = runtime.expect("a runtime").block_on(async {
            let mut conn = Conn::new(opts).await.expect("a connection");
            conn.query_first("SELECT CONCAT(@@server_id)").await.expect("a row")
        });
        id == cluster
            .client(index)
            .expect("a connection")
            .column("SELECT CONCAT(@@server_id)")
            .expect("a row")
            .pop()
    };
    assert!(reaches(0));
    endpoint.set_target(cluster.address(1)).expect("a move");
    assert!(wait_until(SOON, || reaches(1)));
}

/// Runs a text through the proxy of instance 0, for a second at most; whether it was acknowledged.
fn acknowledged(
    cluster: &MariaDbCluster,
    text: &str,
    prepared: bool,
) -> Option<Result<(), String>> {
    through(cluster, 0, async |mut conn: Conn| {
        let asked = async {
            if prepared { conn.exec_drop(text, ()).await } else { conn.query_drop(text).await }
        };
        let answer = tokio::time::timeout(Duration::from_secs(1), asked).await.ok()?;
        Some(answer.map_err(|error| error.to_string()))
    })
}

#[test]
fn the_answer_or_the_request_of_one_statement_is_lost() {
    let cluster = MariaDbCluster::builder().behind_proxies().start().expect("a cluster");
    let mut direct = cluster.client(0).expect("a connection");
    direct.run("CREATE TABLE t (id INT PRIMARY KEY)").expect("a table");
    let proxy = cluster.proxy(0);
    let mut ids = Vec::new();
    let cases = [Loss::Reset, Loss::Silence].map(|loss| [(loss, false), (loss, true)]);
    for (id, (loss, prepared)) in (1..).zip(cases.concat()) {
        // In one text, so that others are answered before it.
        let commit = format!("BEGIN; INSERT INTO t VALUES ({id}); COMMIT");
        let insert = format!("INSERT INTO t VALUES ({id})");
        let (aim, text) = if prepared {
            (Aim::Statement("INTO t".to_owned()), insert)
        } else {
            (Aim::Commit, commit)
        };
        let lost = proxy.arm(Mishap::LoseRequest(loss), aim.clone());
        let answer = acknowledged(&cluster, &text, prepared);
        assert!(lost.has_happened() && answer != Some(Ok(())), "{loss:?} {answer:?}");
        assert_eq!(answer.is_none(), loss == Loss::Silence, "{answer:?}");
        let lost = proxy.arm(Mishap::LoseAnswer(loss), aim);
        let answer = acknowledged(&cluster, &text, prepared);
        assert!(lost.has_happened() && answer != Some(Ok(())), "{loss:?} {answer:?}");
        // What was lost on its way there would have been refused as there twice.
        ids.push(id.to_string());
        assert_eq!(direct.column("SELECT id FROM t ORDER BY id").expect("rows"), ids);
        assert_eq!(acknowledged(&cluster, "SELECT 1", prepared), Some(Ok(())), "it happens once");
    }
}

#[test]
fn a_broken_packet_breaks_the_connection() {
    let cluster = MariaDbCluster::builder().behind_proxies().start().expect("a cluster");
    for mishap in [Mishap::ResetInMessage, Mishap::TruncateMessage, Mishap::Garbage] {
        let armed = cluster.proxy(0).arm(mishap, Aim::Statement("'marked'".to_owned()));
        let answer = acknowledged(&cluster, "SELECT 'marked'", false);
        assert!(matches!(answer, Some(Err(_))) && armed.has_happened(), "{mishap:?}: {answer:?}");
    }
}
