//! The kit against its own promises, with real servers.

mod aurora;
mod chaos;
mod cleanup;
mod faults;
mod mariadb;
mod mariadb_aurora;
mod packets;
mod roles;

use std::time::Duration;

use postgres::Client;
use test_kit::{PgCluster, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// A cluster with a table `t (id int PRIMARY KEY)`.
fn cluster(instances: usize, synchronous: bool) -> PgCluster {
    let cluster = PgCluster::builder().instances(instances).synchronous(synchronous).start();
    let cluster = cluster.expect("the cluster starts");
    client(&cluster, 0).batch_execute("CREATE TABLE t (id int PRIMARY KEY)").expect("a table");
    cluster
}

fn client(cluster: &PgCluster, index: usize) -> Client {
    cluster.client(index).expect("a connection")
}

fn insert(client: &mut Client, id: i32) {
    assert_eq!(client.execute("INSERT INTO t VALUES ($1)", &[&id]).expect("an insert"), 1);
}

fn ids(client: &mut Client) -> Vec<i32> {
    let rows = client.query("SELECT id FROM t ORDER BY id", &[]).expect("a select");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until the instance shows exactly these rows.
fn assert_shows(cluster: &PgCluster, index: usize, expected: &[i32]) {
    let mut client = client(cluster, index);
    let shown = wait_until(SOON, || ids(&mut client) == expected);
    assert!(shown, "instance {index} shows {:?}, not {expected:?}", ids(&mut client));
}

fn in_recovery(client: &mut Client) -> bool {
    client.query_one("SELECT pg_is_in_recovery()", &[]).expect("an answer").get(0)
}
