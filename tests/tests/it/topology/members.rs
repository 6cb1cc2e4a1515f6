//! Who belongs to the cluster.

use aurora_core::{Cluster, Config, Event, Health, InstanceId, Role};
use aurora_tests::stand::Stand;
use aurora_tests::{ITEMS, events_until, eventually};
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

#[test]
fn the_writer_alone_as_a_seed_leads_to_all_readers() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    let config = Config::from_url(&kit.instance_url(0)).unwrap();
    let cluster = Cluster::connect_blocking(config).unwrap();
    eventually("both readers are found", || cluster.topology().readers().len() == 2);
    let mut names: Vec<String> =
        cluster.topology().instances().iter().map(|i| i.id().to_string()).collect();
    names.sort();
    assert_eq!(names, [kit.name(0), kit.name(1), kit.name(2)]);
}

#[test]
fn readers_that_come_and_go_are_seen() {
    let stand = Stand::with(PgCluster::builder().instances(2), "probe_interval=100ms");
    let mut events = stand.cluster.events();
    let added = stand.kit.add_reader().unwrap();
    let id = stand.id(added);
    let joined = Event::InstanceAdded { instance: id.clone() };
    events_until(&mut events, |event| *event == joined);
    stand.await_readers(2);
    assert_eq!(stand.instance(added).role(), Role::Reader);
    stand.kit.remove_reader(added).unwrap();
    events_until(&mut events, |event| is_lost(event, &id));
    stand.await_readers(1);
}

fn is_lost(event: &Event, id: &InstanceId) -> bool {
    matches!(event, Event::HealthChanged { instance, to: Health::Lost, .. } if instance == id)
}

#[test]
fn each_instance_has_one_monitoring_connection_and_none_after_the_last_handle() {
    let stand = Stand::new(3);
    let pools: Vec<_> = (0..3)
        .map(|_| aurora_tests::stand::pool(&aurora_tests::Manager::new(stand.cluster.clone()), 4))
        .collect();
    for pool in &pools {
        diesel::connection::SimpleConnection::batch_execute(&mut pool.get().unwrap(), "SELECT 1")
            .unwrap();
    }
    let Stand { pool, cluster, kit } = stand;
    let clone = cluster.clone();
    eventually("one each", || monitors(&kit) == [1, 1, 1]);
    drop((pools, pool, cluster));
    assert_eq!(monitors(&kit), [1, 1, 1], "a handle is left");
    assert!(clone.topology().writer().is_some());
    drop(clone);
    eventually("none is left", || monitors(&kit) == [0, 0, 0]);
    eventually("no session is left either", || {
        sessions(&kit, "application_name LIKE 'aurora%'") == [0, 0, 0]
    });
}

fn monitors(kit: &PgCluster) -> [i64; 3] {
    sessions(kit, "application_name LIKE '%monitor%'")
}

fn sessions(kit: &PgCluster, which: &str) -> [i64; 3] {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND {which}");
    std::array::from_fn(|index| {
        kit.superuser(index).unwrap().query_one(sql.as_str(), &[]).unwrap().get(0)
    })
}

/// E4: its cache is cold, so that it gets a tenth of its share at first.
#[test]
fn a_reader_that_has_just_come_up_gets_its_share_little_by_little() {
    let servers = PgCluster::builder().instances(3).synchronous(false);
    let stand = Stand::with(servers, "freshness=eventual&slow_start=6s&probe_interval=50ms");
    stand.seed(ITEMS);
    let weights = || [1, 2].map(|index| stand.instance(index).weight());
    let reads = || {
        let session = &mut stand.session();
        stand.counting::<3>(|| {
            (0..200).for_each(|_| session.batch_execute("SELECT * FROM items").unwrap());
        })
    };
    assert_eq!(reads(), [0, 100, 100], "they came up together, and share as ever");
    eventually("both are warm", || weights() == [100, 100]);
    let epoch = stand.instance(1).epoch();
    stand.kit.restart(1).unwrap();
    eventually("it is back", || {
        stand.instance(1).epoch() > epoch && stand.cluster.topology().readers().len() == 2
    });
    let [writer, cold, warm] = reads();
    let weight = weights()[0];
    // It had no more than this weight all the time; as much again and some more for chance.
    let most = u64::from(weight) * 2 + 10;
    assert!(writer == 0 && cold <= most && warm >= 200 - most, "{cold} {warm}, weight {weight}");
    assert!(cold > 0, "its cache has to become warm");
    eventually("it is warm", || weights() == [100, 100]);
    assert_eq!(reads(), [0, 100, 100]);
}
