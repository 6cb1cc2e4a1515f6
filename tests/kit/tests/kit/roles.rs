//! Starting, promoting, switching over, coming and going.

use test_kit::{KitError, wait_until};

use crate::{assert_shows, client, cluster, ids, in_recovery, insert};

#[test]
fn a_cluster_has_one_writer_and_readers_that_follow_it() {
    let cluster = cluster(3, false);
    assert_eq!((cluster.len(), cluster.writer(), cluster.readers()), (3, 0, vec![1, 2]));
    let (address, port) = cluster.address(1);
    assert_eq!(cluster.name(1), format!("{address}:{port}"));
    assert!(cluster.url().contains(&format!(",{address}:{port},")), "{}", cluster.url());
    let mut direct = postgres::Client::connect(&cluster.instance_url(1), postgres::NoTls)
        .expect("the URL of an instance works");
    assert!(in_recovery(&mut direct));
    insert(&mut client(&cluster, 0), 1);
    assert_shows(&cluster, 1, &[1]);
    assert_shows(&cluster, 2, &[1]);
}

#[test]
fn the_roles_are_what_the_documentation_says() {
    let cluster = cluster(2, false);
    let question = "SELECT rolsuper, pg_has_role('pg_monitor', 'member'), \
        (SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()), \
        (SELECT count(*) FROM pg_stat_replication WHERE application_name = $1), \
        (SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'app') \
        FROM pg_roles WHERE rolname = current_user";
    let reader = cluster.address(1).0.to_string();
    let row = cluster.superuser(0).expect("kit").query_one(question, &[&reader]).expect("row");
    assert!(row.get::<_, bool>(0) && row.get::<_, bool>(4));
    assert_eq!((row.get::<_, String>(2).as_str(), row.get::<_, i64>(3)), ("app", 1));
    let question = "SELECT rolsuper, pg_has_role('pg_monitor', 'member') \
        FROM pg_roles WHERE rolname = current_user";
    let row = client(&cluster, 0).query_one(question, &[]).expect("row");
    assert!(!row.get::<_, bool>(0) && row.get::<_, bool>(1));
    assert_eq!(
        client(&cluster, 0)
            .query("SELECT 1 FROM pg_proc WHERE proname LIKE 'aurora%'", &[])
            .expect("rows")
            .len(),
        0
    );
}

#[test]
fn two_clusters_have_different_identities_and_addresses() {
    let clusters = [cluster(1, false), cluster(1, false)];
    let question = "SELECT system_identifier FROM pg_control_system()";
    let [a, b] = clusters.each_ref().map(|cluster| {
        cluster.superuser(0).expect("kit").query_one(question, &[]).expect("row").get::<_, i64>(0)
    });
    assert_ne!(a, b);
    assert_ne!(clusters[0].address(0), clusters[1].address(0));
}

#[test]
fn in_synchronous_mode_an_acknowledged_write_is_on_every_reader() {
    let cluster = cluster(3, true);
    let mut writer = client(&cluster, 0);
    let question = "SELECT pg_current_wal_lsn() <= ALL (SELECT flush_lsn FROM pg_stat_replication)";
    let mut monitor = cluster.superuser(0).expect("kit");
    for id in 0..20 {
        insert(&mut writer, id);
        assert!(monitor.query_one(question, &[]).expect("row").get::<_, bool>(0));
    }
}

#[test]
fn kill_and_promote_keeps_acknowledged_writes() {
    let cluster = cluster(3, true);
    let mut writer = client(&cluster, 0);
    (0..50).for_each(|id| insert(&mut writer, id));
    cluster.kill_and_promote(1).expect("a failover");
    assert_eq!((cluster.writer(), cluster.readers()), (1, vec![2]));
    assert!(writer.simple_query("SELECT 1").is_err(), "the old writer is dead");
    let mut writer = client(&cluster, 1);
    assert_eq!(ids(&mut writer), (0..50).collect::<Vec<_>>());
    insert(&mut writer, 50);
    assert_shows(&cluster, 2, &(0..=50).collect::<Vec<_>>());
}

#[test]
fn acknowledged_writes_survive_failovers_under_load() {
    let cluster = cluster(3, true);
    let mut acknowledged = Vec::new();
    for (round, to) in [1, 2, 0].into_iter().enumerate() {
        let first = i32::try_from(round).expect("small") * 100_000;
        let writer = cluster.writer();
        std::thread::scope(|scope| {
            let loads: Vec<_> = (0..4)
                .map(|load| {
                    let mut client = client(&cluster, writer);
                    scope.spawn(move || {
                        let mut done = Vec::new();
                        for id in (first + load..).step_by(4) {
                            if client.execute("INSERT INTO t VALUES ($1)", &[&id]).is_err() {
                                return done;
                            }
                            done.push(id);
                        }
                        done
                    })
                })
                .collect();
            let mut watcher = client(&cluster, writer);
            assert!(wait_until(crate::SOON, || ids(&mut watcher).len() > acknowledged.len() + 40));
            cluster.kill_and_promote(to).expect("a failover");
            for load in loads {
                acknowledged.extend(load.join().expect("a load"));
            }
        });
        let shown = ids(&mut client(&cluster, to));
        assert!(acknowledged.iter().all(|id| shown.contains(id)), "a write is lost");
        let others = cluster.readers();
        assert_eq!(others.len(), 1);
        assert_shows(&cluster, others[0], &shown);
        cluster.rejoin(writer).expect("the old writer returns");
        assert_shows(&cluster, writer, &shown);
    }
}

#[test]
fn a_switchover_changes_the_roles_and_loses_nothing() {
    let cluster = cluster(3, true);
    insert(&mut client(&cluster, 0), 1);
    for (to, id) in [(2, 2), (0, 3)] {
        cluster.switchover(to).expect("a switchover");
        assert_eq!((cluster.writer(), cluster.readers().len()), (to, 2));
        let mut writer = client(&cluster, to);
        assert!(!in_recovery(&mut writer));
        insert(&mut writer, id);
    }
    (0..3).for_each(|index| assert_shows(&cluster, index, &[1, 2, 3]));
    assert!(cluster.readers().into_iter().all(|index| in_recovery(&mut client(&cluster, index))));
}

#[test]
fn promoting_beside_a_living_writer_makes_two_writers_and_rejoin_ends_it() {
    let cluster = cluster(3, true);
    cluster.promote(1).expect("a promotion");
    insert(&mut client(&cluster, 0), 1);
    insert(&mut client(&cluster, 1), 2);
    assert_shows(&cluster, 2, &[2]);
    cluster.rejoin(0).expect("the old writer returns");
    assert_eq!(cluster.readers(), vec![0, 2]);
    assert_shows(&cluster, 0, &[2]);
}

#[test]
fn a_killed_writer_that_is_started_again_is_a_second_writer() {
    let cluster = cluster(2, false);
    cluster.kill_and_promote(1).expect("a failover");
    cluster.start(0).expect("the old writer starts");
    assert!(!in_recovery(&mut client(&cluster, 0)));
    assert_eq!((cluster.writer(), cluster.readers()), (1, vec![]));
    cluster.rejoin(0).expect("the old writer returns");
    assert!(in_recovery(&mut client(&cluster, 0)));
}

#[test]
fn readers_are_added_and_removed() {
    let cluster = cluster(1, true);
    let added = cluster.add_reader().expect("a reader");
    assert_eq!((added, cluster.len(), cluster.readers()), (1, 2, vec![1]));
    insert(&mut client(&cluster, 0), 1);
    assert_shows(&cluster, added, &[1]);
    cluster.remove_reader(added).expect("no reader");
    insert(&mut client(&cluster, 0), 2);
    assert_eq!((cluster.len(), cluster.readers()), (1, vec![]));
    assert!(matches!(cluster.client(added), Err(KitError::Misuse { index: 1, .. })));
    assert_eq!(cluster.add_reader().expect("another reader"), 2);
    assert!(matches!(cluster.remove_reader(0), Err(KitError::Misuse { index: 0, .. })));
}

#[test]
fn a_reader_that_had_more_than_the_new_writer_is_rebuilt() {
    let cluster = cluster(3, true);
    assert_shows(&cluster, 2, &[]);
    cluster.stop(2).expect("a stop");
    insert(&mut client(&cluster, 0), 1);
    assert_shows(&cluster, 1, &[1]);
    cluster.kill(0).expect("a kill");
    cluster.start(2).expect("a start without a writer");
    cluster.promote(2).expect("a promotion");
    insert(&mut client(&cluster, 2), 2);
    assert_shows(&cluster, 1, &[2]);
    assert_eq!((cluster.writer(), cluster.readers()), (2, vec![1]));
}
