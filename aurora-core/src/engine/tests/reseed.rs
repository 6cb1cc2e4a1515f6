//! Configured addresses that are not monitored are asked again when there is need.

use super::members::by_cluster_endpoint;
use super::server::{Server, listed};
use super::world::World;
use super::{defaults, ms, secs};
use crate::topology::{Health, Role};

#[test]
fn when_all_instances_are_replaced_the_cluster_endpoint_finds_the_new_ones() {
    let mut world = by_cluster_endpoint();
    world.advance(secs(3));
    for (ip, name) in (3..).zip(["c", "d"]) {
        world.serve(name, Server { members: listed(&["c", "d"]), ..Server::aurora(name, ip) });
        world.dns.insert(format!("{name}.xyz.example.com"), name);
    }
    world.server("c").writes = true;
    world.dns.insert("shop.cluster-xyz.example.com".to_owned(), "c");
    world.crash("a");
    world.crash("b");
    world.advance(secs(4));
    assert_eq!(world.topology().instances().len(), 2, "not yet");
    world.until(secs(3), |w| w.writer() == Some("c"));
    world.until(secs(10), |w| w.topology().instances().len() == 2);
    assert!(world.is("d", Role::Reader, Health::Online));
}

#[test]
fn while_nobody_answers_the_endpoint_is_asked_at_a_bounded_pace() {
    let mut world = by_cluster_endpoint();
    world.advance(secs(3));
    // The endpoint answers, and always as an instance whose own address is dead.
    world.dns.remove("a.xyz.example.com");
    world.dns.remove("b.xyz.example.com");
    world.hang_up("a");
    let before = world.probes.len();
    for _ in 0..120 {
        world.advance(secs(1));
        assert!(world.asked("shop.cluster-xyz.example.com", secs(1)) <= 3);
    }
    let asked = world.asked("shop.cluster-xyz.example.com", secs(120));
    assert!((10..=60).contains(&asked), "{asked}");
    assert!(world.probes.len() > before);
    world.dns.insert("a.xyz.example.com".to_owned(), "a");
    world.until(ms(1200), |w| w.writer() == Some("a"));
}

#[test]
fn a_name_that_moves_to_another_server_gives_back_the_configured_one() {
    // "vip" follows the writer, and answers before "a" does, so "a" is taken for a second name.
    let mut world = World::new(defaults(), &["vip", "a", "b"]);
    world.serve("a", Server { writes: true, timeline: Some(1), ..Server::postgres(1) });
    world.serve("b", Server::postgres(2));
    world.dns.insert("vip".to_owned(), "a");
    world.advance(secs(10));
    assert!(world.find("vip").is_some() && world.find("a").is_none());
    world.crash("a");
    world.advance(secs(1));
    world.server("b").promote(2);
    world.dns.insert("vip".to_owned(), "b");
    world.until(secs(2), |w| w.topology().writer().is_some());
    world.server("a").rejoin();
    world.until(secs(10), |w| w.is("a", Role::Reader, Health::Online));
    assert!(world.topology().writer().is_some());
}

#[test]
fn a_configured_instance_that_was_deleted_is_not_missed_while_the_others_live() {
    let mut settings = defaults();
    settings.instance_host_pattern = "?.xyz".parse().ok();
    let mut world = World::new(settings, &["a.xyz", "b.xyz"]);
    for (ip, name) in (1..).zip(["a", "b"]) {
        world.serve(name, Server { members: listed(&["a", "b"]), ..Server::aurora(name, ip) });
        world.dns.insert(format!("{name}.xyz"), name);
    }
    world.server("a").writes = true;
    world.advance(secs(3));
    world.server("a").members = listed(&["a"]);
    world.crash("b");
    world.until(secs(6), |w| w.find("b").is_none());
    let before = world.topology().generation();
    world.advance(secs(60));
    assert_eq!(world.topology().generation(), before);
    // Alone in the world, it is asked after.
    world.crash("a");
    world.advance(secs(8));
    assert_eq!(world.topology().instances().len(), 2);
}
