//! C3 and C6: a name with another address, a name with several.

use aurora_core::{Cluster, Health, Instance, Role};
use aurora_tests::stand::pool;
use aurora_tests::{ITEMS, LIMIT, Manager, eventually, items};
use diesel::prelude::*;
use test_kit::PgCluster;
use test_kit::chaos::{Direction, Fault};

use super::book::Book;

fn instance(cluster: &Cluster, name: &str) -> Instance {
    let topology = cluster.topology();
    let found = topology.instance(&name.into());
    found.unwrap_or_else(|| panic!("no {name} in {topology:#?}")).clone()
}

/// Sessions of the application on an instance, without the monitor's.
fn sessions(kit: &PgCluster, index: usize) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora'";
    kit.superuser(index).unwrap().query_one(sql, &[]).unwrap().get(0)
}

/// Reads until the library has idle connections to it.
fn read(cluster: &Cluster) -> aurora_tests::Sessions {
    let sessions = pool(&Manager::new(cluster.clone()), 4);
    for _ in 0..8 {
        let found = items::table.count().get_result::<i64>(&mut sessions.get().unwrap());
        assert_eq!(found, Ok(0));
    }
    sessions
}

fn replaced(kit: &PgCluster, book: &Book) -> (Cluster, aurora_tests::Sessions, u64) {
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    aurora_tests::stand::caught_up(kit);
    book.write("a.test", &[kit.address(0).0]);
    book.write("b.test", &[kit.address(1).0]);
    // Alone, it does not learn of the third instance before the name leads there.
    let options = "dialect=single&probe_interval=100ms";
    let cluster = book.connect(kit, &["a.test", "b.test"], options).unwrap();
    eventually("the reader is online", || cluster.topology().readers().len() == 1);
    let pool = read(&cluster);
    assert!(sessions(kit, 1) > 0, "reads were served by the reader");
    let epoch = instance(&cluster, "b.test:5432").epoch();
    (cluster, pool, epoch)
}

#[track_caller]
fn assert_moved(cluster: &Cluster, kit: &PgCluster, epoch: u64) {
    eventually("the name is followed", || {
        let instance = instance(cluster, "b.test:5432");
        instance.ip() == Some(kit.address(2).0) && instance.health() == Health::Online
    });
    let after = instance(cluster, "b.test:5432");
    assert!(after.epoch() > epoch, "a new epoch: {after:?}");
    assert_eq!(after.role(), Role::Reader);
    drop(read(cluster));
}

#[test]
fn an_instance_that_was_replaced_under_its_name_is_a_new_epoch() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    let book = Book::default();
    let (cluster, _pool, epoch) = replaced(&kit, &book);
    book.write("b.test", &[kit.address(2).0]);
    kit.kill(1).unwrap();
    assert_moved(&cluster, &kit, epoch);
}

#[test]
fn a_ghost_that_still_answers_is_left_when_its_name_leads_elsewhere() {
    let kit = PgCluster::builder().instances(3).start().unwrap();
    let book = Book::default();
    let (cluster, _pool, epoch) = replaced(&kit, &book);
    book.write("b.test", &[kit.address(2).0]);
    assert_moved(&cluster, &kit, epoch);
    eventually("connections to the ghost are drained", || sessions(&kit, 1) == 0);
}

#[test]
fn a_name_that_moves_to_where_nobody_answers_loses_nobody() {
    let kit = PgCluster::builder().instances(2).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let book = Book::default();
    book.write("a.test", &[kit.address(0).0]);
    let options = "dialect=single&probe_interval=100ms";
    let cluster = book.connect(&kit, &["a.test"], options).unwrap();
    let before = cluster.topology().generation();
    let nobody = kit.endpoint(1).unwrap();
    nobody.set(Fault::Refuse).unwrap();
    // Counted by the resolver: the name was looked up, found to lead elsewhere, and tried.
    book.write("a.test", &[nobody.address().ip()]);
    eventually("the new address was looked up", || book.answered("a.test") >= 4);
    assert_eq!(cluster.topology().generation(), before);
    assert_eq!(instance(&cluster, "a.test:5432").ip(), Some(kit.address(0).0));
    drop(read(&cluster));
}

#[test]
fn of_several_addresses_the_first_that_answers_wins() {
    let kit = PgCluster::builder().instances(2).behind_proxies().start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let (alive, dead) = (kit.address(0).0, kit.endpoint(0).unwrap());
    let book = Book::default();
    for fault in [Fault::Blackhole(Direction::Both), Fault::Refuse] {
        dead.set(fault).unwrap();
        book.write("db.test", &[dead.address().ip(), alive]);
        let cluster = book.connect(&kit, &["db.test"], "dialect=single").unwrap();
        cluster.wait_for_writer_blocking(LIMIT).unwrap();
        assert_eq!(instance(&cluster, "db.test:5432").ip(), Some(alive), "{fault:?}");
        let session = &mut pool(&Manager::new(cluster.clone()), 1).get().unwrap();
        let written = diesel::insert_into(items::table).values(items::name.eq("a"));
        assert_eq!(written.execute(session), Ok(1));
    }
}

#[test]
fn an_instance_that_dies_at_one_of_its_addresses_is_reached_at_the_other() {
    let kit = PgCluster::builder().instances(1).start().unwrap();
    kit.client(0).unwrap().batch_execute(ITEMS).unwrap();
    let ways = [kit.endpoint(0).unwrap(), kit.endpoint(0).unwrap()];
    let book = Book::default();
    book.write("db.test", &ways.each_ref().map(|way| way.address().ip()));
    let cluster = book.connect(&kit, &["db.test"], "dialect=single").unwrap();
    let first = instance(&cluster, "db.test:5432");
    assert_eq!(first.ip(), Some(ways[0].address().ip()));
    ways[0].set(Fault::Blackhole(Direction::Both)).unwrap();
    ways[0].reset_all();
    eventually("it is reached at the other address", || {
        instance(&cluster, "db.test:5432").ip() == Some(ways[1].address().ip())
    });
    let writer = cluster.wait_for_writer_blocking(LIMIT).unwrap();
    assert!(instance(&cluster, writer.as_str()).epoch() > first.epoch());
    drop(read(&cluster));
}
