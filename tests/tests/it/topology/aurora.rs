//! The same with servers that answer as Aurora does.

use std::time::Duration;

use aurora_core::{Event, Health, Role};
use aurora_tests::stand::Stand;
use aurora_tests::{events_until, eventually};
use test_kit::{PgCluster, TopologyLie};

fn stand() -> Stand {
    let servers = PgCluster::builder().instances(3).aurora(true);
    let stand = Stand::with(servers, "probe_interval=100ms");
    // The first list may have named instances that had not said yet that they are.
    eventually("the topology is complete", || stand.cluster.status().degraded.is_none());
    stand
}

#[test]
fn instances_of_aurora_have_the_names_roles_and_lags_they_report() {
    let stand = stand();
    assert_eq!(stand.instance(0).id().as_str(), "instance-1");
    assert_eq!(stand.instance(0).role(), Role::Writer);
    for reader in [1, 2] {
        assert_eq!(stand.instance(reader).role(), Role::Reader);
        eventually("the lag is known", || stand.instance(reader).lag().is_some());
        assert!(stand.instance(reader).lag() < Some(Duration::from_secs(5)));
        eventually("freshness is measured", || stand.instance(reader).fresh_as_of().is_some());
    }
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}

#[test]
fn a_failover_of_aurora_is_followed() {
    let stand = stand();
    stand.kit.kill_and_promote(2).unwrap();
    stand.await_writer(2);
    stand.kit.rejoin(0).unwrap();
    stand.await_readers(2);
    stand.kit.switchover(1).unwrap();
    stand.await_writer(1);
    stand.await_readers(2);
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}

#[test]
fn a_bad_topology_answer_shrinks_nothing_and_is_told() {
    let stand = stand();
    let lies = [
        TopologyLie::Empty,
        TopologyLie::Garbage,
        TopologyLie::PermissionDenied,
        TopologyLie::SeveralWriters,
    ];
    for lie in lies {
        let mut events = stand.cluster.events();
        stand.kit.lie(lie).unwrap();
        if lie == TopologyLie::SeveralWriters {
            // Each instance's own word decides, so this changes nothing that could be waited
            // for; what is told when it ends shows that it was looked at.
        } else {
            events_until(&mut events, |event| matches!(event, Event::TopologyDegraded { .. }));
            eventually("it shows", || stand.cluster.status().degraded.is_some());
        }
        let topology = stand.cluster.topology();
        assert_eq!(topology.instances().len(), 3, "{lie:?}: {topology:#?}");
        assert_eq!(topology.writer().map(|w| w.id().clone()), Some(stand.id(0)), "{lie:?}");
        assert_eq!(topology.readers().len(), 2, "{lie:?}: {topology:#?}");
        stand.kit.lie(TopologyLie::None).unwrap();
        eventually("good again", || stand.cluster.status().degraded.is_none());
    }
}

#[test]
fn a_new_reader_of_aurora_without_a_known_address_degrades_the_topology() {
    let stand = stand();
    let mut events = stand.cluster.events();
    stand.kit.add_reader().unwrap();
    let seen = events_until(&mut events, |event| matches!(event, Event::TopologyDegraded { .. }));
    let text = seen[seen.len() - 1].to_string();
    assert!(text.contains("instance-4") && text.contains("instance_host_pattern"), "{text}");
    assert_eq!(stand.cluster.topology().readers().len(), 2);
    assert!(stand.cluster.topology().instances().iter().all(|i| i.health() == Health::Online));
}

#[test]
fn a_removed_reader_of_aurora_is_lost_at_once() {
    let stand = stand();
    stand.kit.remove_reader(2).unwrap();
    stand.await_health(2, Health::Lost);
    assert_eq!(stand.cluster.topology().readers().len(), 1);
    // Aurora lists it for minutes, so it stays in sight.
    eventually("the topology is good", || stand.cluster.status().degraded.is_none());
    assert_eq!(stand.cluster.topology().instances().len(), 3);
}
