//! The MariaDB cluster keeps its promises, on real servers.

use std::time::Duration;

use test_kit::{KitError, MariaDbClient, MariaDbCluster, PASSWORD, wait_until};

use crate::SOON;

/// `ER_OPTION_PREVENTS_STATEMENT`: "running with the --read-only option".
const READ_ONLY: Option<u16> = Some(1290);

fn cluster(instances: usize) -> MariaDbCluster {
    let cluster = MariaDbCluster::builder().instances(instances).start().expect("a cluster");
    client(&cluster, 0).run("CREATE TABLE t (id INT PRIMARY KEY)").expect("a table");
    cluster
}

fn client(cluster: &MariaDbCluster, index: usize) -> MariaDbClient {
    cluster.client(index).expect("a connection")
}

fn insert(client: &mut MariaDbClient, id: i32) -> Result<(), KitError> {
    client.run(&format!("INSERT INTO t VALUES ({id})"))
}

fn ids(client: &mut MariaDbClient) -> Vec<i32> {
    let ids = client.column("SELECT id FROM t ORDER BY id").expect("rows");
    ids.iter().map(|id| id.parse().expect("a number")).collect()
}

fn assert_shows(cluster: &MariaDbCluster, index: usize, expected: &[i32]) {
    let mut client = client(cluster, index);
    let rows: Vec<String> = expected.iter().map(ToString::to_string).collect();
    // A table that is being made is there and not there.
    let shown = wait_until(SOON, || {
        client.column("SELECT id FROM t ORDER BY id").is_ok_and(|ids| ids == rows)
    });
    assert!(shown, "{:?}, not {expected:?}: {cluster:?}", ids(&mut client));
}

fn refuses_writes(cluster: &MariaDbCluster, index: usize) -> bool {
    let refusal = insert(&mut client(cluster, index), -1).expect_err("a refusal");
    refusal.mysql_errno() == READ_ONLY
}

#[test]
fn readers_follow_the_writer_and_refuse_writes() {
    let cluster = cluster(3);
    assert_eq!((cluster.len(), cluster.writer(), cluster.readers()), (3, 0, vec![1, 2]));
    insert(&mut client(&cluster, 0), 1).expect("a write");
    for reader in cluster.readers() {
        assert_shows(&cluster, reader, &[1]);
        assert!(refuses_writes(&cluster, reader));
    }
    let (address, port) = cluster.address(1);
    assert_eq!(cluster.name(1), format!("{address}:{port}"));
    assert!(cluster.url().contains(&format!(",{address}:{port},")), "{}", cluster.url());
    assert_eq!(cluster.instance_url(1), format!("mysql://app:{PASSWORD}@{address}:{port}/app"));
}

#[test]
fn the_roles_are_what_the_documentation_says() {
    let cluster = cluster(2);
    let mut app = client(&cluster, 1);
    let refused = |error: KitError| error.mysql_errno();
    let privilege = app.run("SET GLOBAL read_only = OFF").expect_err("a refusal");
    assert_eq!(refused(privilege), Some(1227));
    let unknown = app.run("SELECT @@super_read_only").expect_err("MariaDB has no such variable");
    assert_eq!(refused(unknown), Some(1193));
    app.run("CREATE TEMPORARY TABLE tmp (a INT); INSERT INTO tmp VALUES (1)").expect("temporary");
    assert_eq!(app.query("SHOW SLAVE STATUS").expect("the state of replication").len(), 1);
    let mut kit = cluster.superuser(1).expect("a connection");
    assert_eq!(kit.column("SELECT @@read_only").expect("a row"), ["1"]);
    kit.run("SET SESSION sql_log_bin = OFF; INSERT INTO t VALUES (7)").expect("kit is exempt");
    let domains = [0, 1]
        .map(|index| client(&cluster, index).column("SELECT @@gtid_domain_id").expect("a row"));
    assert_eq!(domains[0], domains[1]);
    assert_ne!(domains[0], ["0"]);
}

#[test]
fn an_error_anywhere_in_a_text_is_an_error_and_the_connection_goes_on() {
    let cluster = cluster(1);
    let mut client = client(&cluster, 0);
    let error = client.run("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); SELECT 1");
    assert_eq!(error.expect_err("a duplicate").mysql_errno(), Some(1062));
    let rows = client.query("SELECT 1; SELECT id, NULL AS n FROM t").expect("rows");
    assert_eq!((rows.len(), rows[0].get("id"), rows[0].at(1)), (1, "1", ""));
    assert_eq!(rows[0].texts().collect::<Vec<_>>(), [Some("1"), None]);
}

#[test]
fn a_client_may_be_used_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let cluster = cluster(1);
        assert_eq!(ids(&mut client(&cluster, 0)), [0; 0]);
    });
}

#[test]
fn an_acknowledged_write_is_on_a_reader() {
    let cluster = cluster(3);
    let mut writer = client(&cluster, 0);
    cluster.pause_replay(1).expect("a pause");
    cluster.pause_replay(2).expect("a pause");
    (0..50).for_each(|id| insert(&mut writer, id).expect("a write"));
    for reader in [1, 2] {
        assert!(ids(&mut client(&cluster, reader)).is_empty(), "received is not applied");
    }
    cluster.kill_and_promote(2).expect("a failover");
    assert_eq!((cluster.writer(), cluster.readers()), (2, vec![1]));
    assert!(insert(&mut writer, 50).is_err(), "the old writer is dead");
    assert_eq!(ids(&mut client(&cluster, 2)), (0..50).collect::<Vec<_>>());
    insert(&mut client(&cluster, 2), 50).expect("the new writer writes");
    assert_shows(&cluster, 1, &(0..=50).collect::<Vec<_>>());
    assert!(refuses_writes(&cluster, 1));
}

#[test]
fn a_commit_waits_for_a_reader_and_not_for_two() {
    let cluster = cluster(3);
    let mut writer = client(&cluster, 0);
    cluster.pause(1).expect("a pause");
    insert(&mut writer, 1).expect("the other reader acknowledges");
    cluster.kill(2).expect("a kill");
    insert(&mut writer, 2).expect("nobody is waited for when no reader runs");
    cluster.resume(1).expect("it follows");
    let waits = |client: &mut MariaDbClient| {
        client.column("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_status'; SELECT VARIABLE_VALUE \
            FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'RPL_SEMI_SYNC_MASTER_STATUS'")
            .expect("a row")
            == ["ON"]
    };
    assert!(waits(&mut writer));
    assert_shows(&cluster, 1, &[1, 2]);
    cluster.start(2).expect("a start");
    assert_shows(&cluster, 2, &[1, 2]);
}

#[test]
fn acknowledged_writes_survive_failovers_under_load() {
    let cluster = cluster(3);
    let mut acknowledged = Vec::new();
    for (round, to) in [1, 2, 0].into_iter().enumerate() {
        let first = i32::try_from(round).expect("small") * 100_000;
        let old = cluster.writer();
        std::thread::scope(|scope| {
            let loads: Vec<_> = (0..4)
                .map(|load| {
                    let mut client = client(&cluster, old);
                    scope.spawn(move || {
                        let ids = (first + load..).step_by(4);
                        ids.take_while(|id| insert(&mut client, *id).is_ok()).collect::<Vec<_>>()
                    })
                })
                .collect();
            let mut watcher = client(&cluster, old);
            assert!(wait_until(SOON, || ids(&mut watcher).len() > acknowledged.len() + 40));
            cluster.kill_and_promote(to).expect("a failover");
            for load in loads {
                acknowledged.extend(load.join().expect("a load"));
            }
        });
        let shown = ids(&mut client(&cluster, to));
        assert!(acknowledged.iter().all(|id| shown.contains(id)), "a write is lost");
        cluster.rejoin(old).expect("the old writer returns");
        cluster.await_readers().expect("all have everything");
        for reader in cluster.readers() {
            assert_eq!(ids(&mut client(&cluster, reader)), shown);
        }
        assert_eq!(cluster.readers().len(), 2);
    }
}

#[test]
fn a_switchover_changes_the_roles_and_keeps_sessions() {
    let cluster = cluster(3);
    let mut old = client(&cluster, 0);
    insert(&mut old, 1).expect("a write");
    cluster.switchover(2).expect("a switchover");
    assert_eq!((cluster.writer(), cluster.readers()), (2, vec![0, 1]));
    assert_eq!(insert(&mut old, 2).expect_err("a refusal").mysql_errno(), READ_ONLY);
    insert(&mut client(&cluster, 2), 2).expect("a write");
    cluster.switchover(0).expect("a switchover back");
    insert(&mut old, 3).expect("the session is as it was");
    (0..3).for_each(|index| assert_shows(&cluster, index, &[1, 2, 3]));
    cluster.restart(0).expect("a restart");
    assert!(old.run("SELECT 1").is_err());
    insert(&mut client(&cluster, 0), 4).expect("the writer is still the writer");
}

#[test]
fn promoting_beside_a_living_writer_makes_two_writers_and_rejoin_ends_it() {
    let cluster = cluster(3);
    cluster.promote(1).expect("a promotion");
    insert(&mut client(&cluster, 0), 1).expect("the old writer does not wait for readers");
    insert(&mut client(&cluster, 1), 2).expect("a write");
    assert_shows(&cluster, 2, &[2]);
    cluster.rejoin(0).expect("the old writer returns");
    assert_eq!(cluster.readers(), vec![0, 2]);
    assert_shows(&cluster, 0, &[2]);
}

#[test]
fn a_paused_writer_is_replaced_and_returns_as_a_second_one() {
    let cluster = cluster(2);
    insert(&mut client(&cluster, 0), 1).expect("a write");
    cluster.pause(0).expect("a pause");
    cluster.promote(1).expect("a promotion");
    insert(&mut client(&cluster, 1), 2).expect("a write");
    cluster.resume(0).expect("it goes on");
    assert_eq!((cluster.writer(), cluster.readers()), (1, vec![]));
    insert(&mut client(&cluster, 0), 3).expect("it is still a writer");
    cluster.rejoin(0).expect("it returns");
    assert_shows(&cluster, 0, &[1, 2]);
}

#[test]
fn a_killed_writer_that_is_started_again_is_followed_again() {
    let cluster = cluster(2);
    insert(&mut client(&cluster, 0), 1).expect("a write");
    cluster.kill(0).expect("a kill");
    assert!(cluster.client(0).is_err());
    cluster.start(0).expect("a start");
    insert(&mut client(&cluster, 0), 2).expect("a write");
    assert_shows(&cluster, 1, &[1, 2]);
}

#[test]
fn a_delayed_reader_is_late_until_it_is_promoted() {
    let cluster = cluster(2);
    cluster.await_readers().expect("all have everything");
    cluster.set_replay_delay(1, Duration::from_secs(3600)).expect("a delay");
    insert(&mut client(&cluster, 0), 1).expect("a write");
    let mut reader = client(&cluster, 1);
    let state = reader.query("SHOW SLAVE STATUS").expect("the state").remove(0);
    assert_eq!((state.get("SQL_Delay"), ids(&mut reader).len()), ("3600", 0));
    cluster.kill_and_promote(1).expect("a failover");
    assert_eq!(ids(&mut client(&cluster, 1)), [1]);
}

#[test]
fn readers_are_added_and_removed() {
    let cluster = cluster(1);
    insert(&mut client(&cluster, 0), 1).expect("a write");
    let added = cluster.add_reader().expect("a reader");
    assert_eq!((added, cluster.len(), cluster.readers()), (1, 2, vec![1]));
    assert_shows(&cluster, added, &[1]);
    cluster.remove_reader(added).expect("no reader");
    insert(&mut client(&cluster, 0), 2).expect("no reader is waited for");
    assert_eq!((cluster.len(), cluster.readers()), (1, vec![]));
    assert!(matches!(cluster.client(added), Err(KitError::Misuse { index: 1, .. })));
    assert!(matches!(cluster.remove_reader(0), Err(KitError::Misuse { index: 0, .. })));
    assert!(matches!(cluster.promote(0), Err(KitError::Misuse { index: 0, .. })));
}

#[test]
fn settings_hold_now_and_after_a_restart() {
    let cluster = MariaDbCluster::builder().setting("max_connections", "50").start();
    let cluster = cluster.expect("a cluster");
    let shown = || client(&cluster, 0).column("SELECT @@max_connections").expect("a row");
    assert_eq!(shown(), ["50"]);
    cluster.set_setting(0, "max_connections", "60").expect("a setting");
    assert_eq!(shown(), ["60"]);
    cluster.restart(0).expect("a restart");
    assert_eq!(shown(), ["60"]);
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    let cluster = cluster(3);
    let pid = cluster.pid(0).expect("the writer runs");
    let data = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a working directory");
    let pids = [0, 1, 2].map(|index| cluster.pid(index).expect("it runs"));
    cluster.pause(1).expect("a pause");
    drop(cluster);
    assert!(!data.exists());
    assert!(pids.iter().all(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_err()));
}
