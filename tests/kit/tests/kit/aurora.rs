//! Aurora mode: what the servers say about the cluster.

use test_kit::{PgCluster, TopologyLie, wait_until};

use crate::SOON;

/// The detection and topology queries of Aurora PostgreSQL clients, in their usual wording.
const DETECT: &str = "SELECT (setting OPERATOR(pg_catalog.~~) '%aurora_stat_utils%') \
    FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'rds.extensions'";
const TOPOLOGY: &str = "SELECT SERVER_ID, SESSION_ID OPERATOR(pg_catalog.=) 'MASTER_SESSION_ID', \
    CPU, COALESCE(REPLICA_LAG_IN_MSEC, 0), LAST_UPDATE_TIMESTAMP IS NULL \
    FROM pg_catalog.aurora_replica_status() \
    WHERE EXTRACT(EPOCH FROM(pg_catalog.NOW() OPERATOR(pg_catalog.-) LAST_UPDATE_TIMESTAMP)) \
    OPERATOR(pg_catalog.<=) 300 OR SESSION_ID OPERATOR(pg_catalog.=) 'MASTER_SESSION_ID' \
    OR LAST_UPDATE_TIMESTAMP IS NULL ORDER BY 1";

fn aurora(instances: usize) -> PgCluster {
    let cluster = PgCluster::builder().instances(instances).aurora(true).synchronous(true).start();
    cluster.expect("a cluster")
}

/// Name and "is the writer" of each row, as an instance tells them.
fn topology(cluster: &PgCluster, index: usize) -> Vec<(String, bool)> {
    let rows = cluster.client(index).expect("a connection").query(TOPOLOGY, &[]).expect("rows");
    let own = cluster.name(index);
    let without_time: Vec<String> = rows
        .iter()
        .filter(|row| row.get::<_, bool>(4))
        .map(|row| row.get::<_, String>(0))
        .collect();
    assert_eq!(without_time, [own], "only the own row has no time");
    rows.iter()
        .map(|row| {
            assert!(row.get::<_, f64>(2) > 0.0 && row.get::<_, f64>(3) >= 0.0);
            (row.get(0), row.get(1))
        })
        .collect()
}

fn expected(writer: usize, names: &[usize]) -> Vec<(String, bool)> {
    names.iter().map(|index| (format!("instance-{}", index + 1), *index == writer)).collect()
}

#[test]
fn every_instance_knows_itself_and_the_others() {
    let cluster = aurora(3);
    for index in 0..3 {
        let mut client = cluster.client(index).expect("a connection");
        assert!(client.query_one(DETECT, &[]).expect("a row").get::<_, bool>(0));
        let question = "SELECT pg_catalog.aurora_db_instance_identifier(), aurora_version()";
        let row = client.query_one(question, &[]).expect("a row");
        assert_eq!(row.get::<_, String>(0), cluster.name(index));
        assert!(row.get::<_, String>(1).ends_with(".0"));
        assert_eq!(topology(&cluster, index), expected(0, &[0, 1, 2]));
    }
    let mut postgres = postgres::Client::connect(
        &cluster.instance_url(1).replace("5432/app", "5432/postgres"),
        postgres::NoTls,
    )
    .expect("the database postgres");
    assert_eq!(postgres.query(TOPOLOGY, &[]).expect("rows").len(), 3);
}

#[test]
fn positions_are_numbers_that_advance() {
    let cluster = aurora(2);
    let mut writer = cluster.client(0).expect("a connection");
    let mut reader = cluster.client(1).expect("a connection");
    let token = "SELECT durable_lsn FROM aurora_replica_status() \
        WHERE session_id = 'MASTER_SESSION_ID'";
    let own = "SELECT current_read_lsn, replica_lag_in_msec FROM aurora_replica_status() \
        WHERE server_id = aurora_db_instance_identifier()";
    let before: i64 = writer.query_one(token, &[]).expect("a row").get(0);
    writer.batch_execute("CREATE TABLE t (id int)").expect("a table");
    let after: i64 = writer.query_one(token, &[]).expect("a row").get(0);
    assert!(after > before, "{after} > {before}");
    let fresh = wait_until(SOON, || {
        let row = reader.query_one(own, &[]).expect("a row");
        row.get::<_, i64>(0) >= after && row.get::<_, f64>(1) >= 0.0
    });
    assert!(fresh, "the reader catches up");
    let row = writer.query_one(own, &[]).expect("a row");
    assert_eq!((row.get::<_, Option<i64>>(0), row.get::<_, Option<f64>>(1)), (None, None));
}

#[test]
fn the_topology_follows_the_verbs() {
    let cluster = aurora(3);
    let session = |index: usize| -> String {
        let question = "SELECT session_id FROM aurora_replica_status() \
            WHERE server_id = aurora_db_instance_identifier()";
        let mut client = cluster.client(index).expect("a connection");
        client.query_one(question, &[]).expect("a row").get(0)
    };
    let first = session(2);
    cluster.restart(2).expect("a restart");
    assert_ne!(session(2), first, "a new session after every start");
    cluster.kill_and_promote(1).expect("a failover");
    for index in [1, 2] {
        // The dead instance lingers until its last sign of life is five minutes old.
        assert_eq!(topology(&cluster, index), expected(1, &[0, 1, 2]));
    }
    assert_eq!(session(1), "MASTER_SESSION_ID");
    cluster.rejoin(0).expect("the old writer returns");
    assert_eq!(cluster.add_reader().expect("a reader"), 3);
    for index in 0..4 {
        assert_eq!(topology(&cluster, index), expected(1, &[0, 1, 2, 3]));
    }
    let alive = "SELECT is_current FROM aurora_replica_status() WHERE server_id = 'instance-4'";
    cluster.remove_reader(3).expect("no reader");
    let row = cluster.client(0).expect("a connection").query_one(alive, &[]).expect("a row");
    assert!(!row.get::<_, bool>(0));
}

#[test]
fn the_topology_lies_when_told_to() {
    let cluster = aurora(2);
    let mut client = cluster.client(1).expect("a connection");
    let mut ask = || client.query("SELECT * FROM aurora_replica_status()", &[]);
    cluster.lie(TopologyLie::Empty).expect("a lie");
    assert_eq!(ask().expect("rows").len(), 0);
    cluster.lie(TopologyLie::SeveralWriters).expect("a lie");
    let sessions: Vec<String> =
        ask().expect("rows").iter().map(|row| row.get("session_id")).collect();
    assert_eq!(sessions, ["MASTER_SESSION_ID"; 2]);
    cluster.lie(TopologyLie::PermissionDenied).expect("a lie");
    let error = ask().expect_err("denied");
    assert_eq!(error.code().map(|code| code.code()), Some("42501"));
    cluster.lie(TopologyLie::Garbage).expect("a lie");
    let rows = ask().expect("rows");
    assert!(rows.iter().any(|row| row.get::<_, Option<String>>("server_id").is_none()));
    assert!(rows.iter().all(|row| row.get::<_, f64>("replica_lag_in_msec").is_nan()));
    cluster.lie(TopologyLie::None).expect("the truth");
    assert_eq!(topology(&cluster, 1), expected(0, &[0, 1]));
}
