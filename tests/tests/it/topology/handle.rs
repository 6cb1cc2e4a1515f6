//! The life of a handle: inside a runtime, without one, and its end.

use std::time::{Duration, Instant};

use aurora_core::{Cluster, Config, ErrorKind, Health};
use aurora_diesel::Outcome;
use aurora_tests::stand::{Stand, pool};
use aurora_tests::{LIMIT, Manager};
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

#[test]
fn closing_ends_waiting_statements_and_listeners_at_once() {
    let stand = Stand::new(2);
    stand.seed(aurora_tests::ITEMS);
    stand.kit.kill(0).unwrap();
    stand.await_health(0, Health::Lost);
    let mut events = stand.cluster.events();
    let before = stand.cluster.topology();
    std::thread::scope(|scope| {
        let mut session = stand.session();
        let writing = scope
            .spawn(move || session.batch_execute("INSERT INTO items VALUES (1, 'a')").unwrap_err());
        let waiting = scope.spawn(|| stand.cluster.wait_for_writer_blocking(LIMIT).unwrap_err());
        let listening = scope.spawn(move || while events.next_timeout(LIMIT).is_some() {});
        let begun = Instant::now();
        stand.cluster.close();
        let error = writing.join().unwrap();
        assert!(error.to_string().contains("closed"), "{error}");
        assert_eq!(aurora_diesel::outcome(&error), Outcome::NotApplied);
        assert_eq!(aurora_diesel::retry(&error), aurora_diesel::Retry::Never);
        assert_eq!(waiting.join().unwrap().kind(), ErrorKind::Closed);
        listening.join().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "took {:?}", begun.elapsed());
    });
    assert_eq!(stand.cluster.topology().instances().len(), before.instances().len());
    let begun = Instant::now();
    let error = stand.cluster.wait_for_writer_blocking(LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_on_a_worker_thread_of_a_runtime() {
    let kit = PgCluster::builder().instances(2).start().unwrap();
    let cluster = Cluster::connect(Config::from_url(&kit.url()).unwrap()).await.unwrap();
    let id = cluster.wait_for_writer(LIMIT).await.unwrap();
    assert_eq!(id.as_str(), kit.name(0));
    let mut events = cluster.events();
    let url = kit.url();
    // Blocking on a worker thread is not nice, but it must work.
    let worker = tokio::spawn(async move {
        let cluster = Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap();
        let sessions = pool(&Manager::new(cluster), 2);
        let session = &mut sessions.get().unwrap();
        session.batch_execute(aurora_tests::ITEMS).unwrap();
        session.batch_execute("INSERT INTO items VALUES (1, 'a')").unwrap();
        session.batch_execute("SELECT * FROM items").unwrap();
    });
    worker.await.unwrap();
    kit.kill(0).unwrap();
    while cluster.topology().writer().is_some() {
        assert!(events.next().await.is_some());
    }
    let begun = Instant::now();
    let error = cluster.wait_for_writer(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoWriter);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    cluster.close();
    while events.next().await.is_some() {}
}
