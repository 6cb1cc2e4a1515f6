//! Who belongs to the cluster.

use super::rules::aurora;
use super::server::{Server, State, listed, suggested};
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{FailureKind, Members};
use crate::event::Event;
use crate::topology::{Health, Role};

/// An Aurora cluster found through its cluster endpoint.
pub(super) fn by_cluster_endpoint() -> World {
    let mut settings = defaults();
    settings.instance_host_pattern = "?.xyz.example.com".parse().ok();
    let mut world = World::new(settings, &["shop.cluster-xyz.example.com"]);
    for (ip, name) in (1..).zip(["a", "b"]) {
        world.serve(name, Server { members: listed(&["a", "b"]), ..Server::aurora(name, ip) });
        world.dns.insert(format!("{name}.xyz.example.com"), name);
    }
    world.server("a").writes = true;
    world.dns.insert("shop.cluster-xyz.example.com".to_owned(), "a");
    world
}

fn ids(world: &World) -> Vec<String> {
    let mut ids: Vec<_> = world.topology().instances().iter().map(|i| i.id().to_string()).collect();
    ids.sort();
    ids
}

#[test]
fn a_cluster_endpoint_becomes_the_instance_it_leads_to() {
    let mut world = by_cluster_endpoint();
    let took = world.until(ms(100), |w| w.writer() == Some("a"));
    assert!(took <= ms(20), "{took:?}");
    world.advance(secs(2));
    assert_eq!(ids(&world), ["a", "b"]);
    assert_eq!(world.instance("a").address().to_string(), "a.xyz.example.com:5432");
    let asked = world.probes.iter().filter(|(_, a)| a.host().starts_with("shop")).count();
    assert_eq!(asked, 1, "the endpoint is not asked any more");
}

#[test]
fn an_instance_is_in_use_only_once_it_answered_at_its_own_address() {
    let mut world = by_cluster_endpoint();
    world.dns.remove("a.xyz.example.com");
    world.advance(secs(1));
    assert!(world.topology().writer().is_none());
    assert!(world.is("b", Role::Reader, Health::Online));
    assert!(world.instance("a").last_error().is_some());
    world.dns.insert("a.xyz.example.com".to_owned(), "a");
    world.until(ms(1100), |w| w.writer() == Some("a"));
}

#[test]
fn two_names_of_one_server_are_one_instance() {
    let mut world = World::new(defaults(), &["a", "cname", "b"]);
    world.serve("a", Server { writes: true, timeline: Some(1), ..Server::postgres(1) });
    world.serve("b", Server::postgres(2));
    world.dns.insert("cname".to_owned(), "a");
    world.advance(secs(3));
    assert_eq!(ids(&world), ["a:5432", "b:5432"]);
    assert_eq!(world.writer(), Some("a"));
    let before = world.topology().generation();
    world.advance(secs(60));
    assert_eq!(world.topology().generation(), before);
}

#[test]
fn a_suggested_second_name_is_found_out_once() {
    let mut world = World::postgres();
    world.dns.insert("b.internal".to_owned(), "b");
    world.dns.insert("10.0.0.3".to_owned(), "c");
    world.server("a").members = suggested(&["b.internal", "10.0.0.3"]);
    world.advance(secs(5));
    assert_eq!(ids(&world), ["a:5432", "b:5432", "c:5432"]);
    let before = world.topology().generation();
    world.advance(secs(120));
    assert_eq!(world.topology().generation(), before, "and not suggested again every second");
    assert_eq!(world.probes.iter().filter(|(_, a)| a.host() == "10.0.0.3").count(), 0);
}

#[test]
fn a_suggested_standby_joins() {
    let mut world = World::postgres();
    world.serve("d", Server::postgres(4));
    world.server("a").members = suggested(&["b", "c", "d"]);
    world.until(secs(2), |w| w.is("d", Role::Reader, Health::Online));
    world.crash("d");
    world.server("a").members = suggested(&["b", "c"]);
    world.advance(secs(60));
    assert!(world.is("d", Role::Reader, Health::Lost), "an operator sees it for a while");
    world.until(secs(600), |w| w.find("d").is_none());
    world.server("d").restart();
    world.server("a").members = suggested(&["b", "c", "d"]);
    world.until(secs(3), |w| w.is("d", Role::Reader, Health::Online));
}

#[test]
fn a_wrong_suggestion_never_was_a_member() {
    let mut world = World::postgres();
    world.serve("elsewhere", Server { cluster: Some("8"), ..Server::postgres(8) });
    world.serve(
        "closed",
        Server { state: State::Fails(FailureKind::Refused), ..Server::postgres(9) },
    );
    world.server("a").members = suggested(&["elsewhere", "closed", "10.9.9.9"]);
    world.advance(secs(10));
    assert_eq!(ids(&world), ["a:5432", "b:5432", "c:5432"]);
    let foreign = |e: &Event| matches!(e, Event::HealthChanged { to: Health::Foreign, .. });
    assert!(!world.events.iter().any(|(_, event)| foreign(event)));
    let before = world.topology().generation();
    world.advance(secs(100));
    assert_eq!(world.topology().generation(), before);
    assert!(world.asked("closed", secs(60)) <= 9, "and hardly costs anything");
}

#[test]
fn an_instance_of_another_cluster_is_foreign() {
    let mut world = World::postgres();
    let epoch = world.instance("c").epoch();
    world.server("c").cluster = Some("8");
    world.server("c").promote(9);
    world.advance(secs(2));
    let c = world.instance("c");
    assert_eq!((c.health(), c.role()), (Health::Foreign, Role::Unknown));
    assert!(c.epoch() > epoch && c.last_error().is_some_and(|e| e.contains("another cluster")));
    assert_eq!(world.writer(), Some("a"));
    world.server("c").cluster = Some("7");
    world.server("c").writes = false;
    world.advance(secs(2));
    assert!(world.is("c", Role::Reader, Health::Online));
}

#[test]
fn the_writers_address_now_leads_to_another_cluster() {
    let mut world = World::postgres();
    world.server("a").cluster = Some("8");
    world.advance(secs(2));
    assert!(world.topology().writer().is_none());
    assert!(world.is("a", Role::Unknown, Health::Foreign), "it is not the elected one any more");
    world.server("b").promote(2);
    world.until(secs(1), |w| w.writer() == Some("b"));
}

#[test]
fn a_member_without_an_address_is_announced() {
    let mut world = World::new(defaults(), &["a"]);
    world.serve(
        "a",
        Server { members: listed(&["a", "b"]), writes: true, ..Server::aurora("a", 1) },
    );
    world.advance(secs(3));
    assert_eq!(world.writer(), Some("a"));
    assert!(world.topology().degraded().is_some_and(|why| why.contains("instance_host_pattern")));
    assert_eq!(ids(&world), ["a"]);
}

#[test]
fn one_bad_answer_of_a_reader_does_not_outweigh_the_writers() {
    let mut world = aurora(&["a", "b", "c"]);
    let before = world.events.len();
    world.server("b").members = Members::Refused("nonsense".into());
    world.server("c").members = listed(&["c", "deleted-long-ago"]);
    world.advance(secs(30));
    assert_eq!(world.topology().degraded(), None);
    assert_eq!(ids(&world), ["a", "b", "c"]);
    assert_eq!(world.events.len(), before, "and nobody is told every second");
}

#[test]
fn a_reader_that_the_writer_no_longer_lists_is_dropped_when_it_is_gone() {
    let mut world = aurora(&["a", "b", "c"]);
    for name in ["a", "b"] {
        world.server(name).members = listed(&["a", "b"]);
    }
    world.advance(secs(30));
    assert!(world.is("c", Role::Reader, Health::Online), "it still answers: it is in use");
    world.crash("c");
    world.until(secs(6), |w| w.find("c").is_none());
    let removed = Event::InstanceRemoved { instance: "c".into() };
    assert!(world.events.iter().any(|(_, event)| *event == removed));
    // A new one under the old name shares no epoch with it.
    world.server("c").restart();
    for name in ["a", "b"] {
        world.server(name).members = listed(&["a", "b", "c"]);
    }
    world.until(secs(3), |w| w.is("c", Role::Reader, Health::Online));
    assert!(world.instance("c").epoch() > 1);
}

#[test]
fn a_hundred_rows_and_duplicates_do_no_harm() {
    let mut world = aurora(&["a", "b"]);
    let names: Vec<String> = (0..100).map(|n| format!("x{n}")).collect();
    let mut rows = vec!["a", "a", "b", "b"];
    rows.extend(names.iter().map(String::as_str));
    world.server("a").members = listed(&rows);
    world.advance(secs(3));
    assert_eq!(world.topology().instances().len(), 102);
    assert_eq!((world.writer(), world.topology().readers().len()), (Some("a"), 1));
    world.server("a").members = listed(&["a", "b"]);
    world.until(secs(10), |w| w.topology().instances().len() == 2);
}

#[test]
fn an_address_that_leads_to_another_instance_keeps_nothing_of_the_old_one() {
    let mut world = World::new(defaults(), &["endpoint"]);
    world.serve("a", Server { writes: true, ..Server::aurora("a", 1) });
    world.serve("b", Server::aurora("b", 2));
    world.dns.insert("endpoint".to_owned(), "a");
    world.advance(secs(3));
    assert_eq!(world.writer(), Some("a"));
    let epoch = world.instance("a").epoch();
    world.dns.insert("endpoint".to_owned(), "b");
    world.advance(secs(3));
    assert_eq!(ids(&world), ["b"]);
    assert!(world.is("b", Role::Reader, Health::Online));
    assert!(world.instance("b").epoch() > epoch);
}
