//! A server without a free connection is full, not dead.

use std::time::{Duration, Instant};

use aurora_core::{Event, Health};
use aurora_tests::stand::Stand;
use diesel::connection::SimpleConnection as _;
use test_kit::PgCluster;

#[test]
fn reads_go_elsewhere_when_a_reader_is_full() {
    let stand = Stand::with(PgCluster::builder().instances(3), "");
    let mut superuser = stand.kit.superuser(0).unwrap();
    superuser.batch_execute("ALTER ROLE app CONNECTION LIMIT 10").unwrap();
    aurora_tests::stand::caught_up(&stand.kit);
    let mut events = stand.cluster.events();
    let full: Vec<_> = std::iter::from_fn(|| stand.kit.client(1).ok()).take(30).collect();
    assert!(full.len() < 30, "the reader is full");
    let begun = Instant::now();
    let places = stand.counting(|| {
        (0..40).for_each(|_| stand.session().batch_execute("SELECT 1").unwrap());
    });
    assert_eq!(places, [0, 0, 40]);
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::WriterChanged { .. }), "{event}");
        assert!(!matches!(event, Event::HealthChanged { to: Health::Lost, .. }), "{event}");
    }
    drop(full);
    aurora_tests::eventually("the reader is used again", || {
        let [_, reads, _] =
            stand.counting::<3>(|| stand.session().batch_execute("SELECT 1").unwrap());
        reads > 0
    });
}
