//! What the API of RDS tells enriches the snapshot, and says who serves no reads. Nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::world::World;
use crate::engine::Input;
use crate::rds::{Described, DescribedInstance, Details, Members};
use crate::topology::{Health, Instance, Role};

fn told(id: &str, zone: &str) -> DescribedInstance {
    let details = Details { availability_zone: Some(zone.to_owned()), ..Details::default() };
    DescribedInstance { id: id.to_owned(), address: None, details: Arc::new(details) }
}

fn only(ids: &[&str]) -> Vec<Members> {
    vec![Members::Only(ids.iter().map(|id| (*id).to_owned()).collect())]
}

fn describe(world: &mut World, instances: Vec<DescribedInstance>, endpoints: Vec<Members>) {
    world.handle(Input::Described(Arc::new(Described { instances, endpoints })));
}

fn readers(world: &World) -> Vec<String> {
    let topology = world.topology();
    let mut names: Vec<_> = topology.readers().iter().map(|r| r.id().to_string()).collect();
    names.sort();
    names
}

type Seen = Vec<(String, Role, Health, u64)>;

fn seen(world: &World) -> Seen {
    let of = |i: &Instance| (i.id().to_string(), i.role(), i.health(), i.epoch());
    let mut seen: Seen = world.topology().instances().iter().map(of).collect();
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    seen
}

#[test]
fn what_the_api_tells_changes_no_role_no_health_and_no_membership() {
    let mut world = World::postgres();
    let (before, events) = (seen(&world), world.events.len());
    let generation = world.topology().generation();
    describe(&mut world, vec![told("A:5432", "eu-west-1a"), told("stranger", "x")], Vec::new());
    assert_eq!(seen(&world), before);
    assert_eq!((world.events.len(), world.topology().generation()), (events, generation));
    let topology = world.topology();
    assert_eq!(topology.writer().unwrap().availability_zone(), Some("eu-west-1a"));
    assert!(topology.readers().iter().all(|reader| reader.availability_zone().is_none()));
}

#[test]
fn readers_outside_the_custom_endpoint_serve_no_reads_and_come_back() {
    let mut world = World::postgres();
    let (before, generation) = (seen(&world), world.topology().generation());
    describe(&mut world, Vec::new(), only(&["c:5432"]));
    assert_eq!(readers(&world), ["c:5432"]);
    assert_eq!(seen(&world), before);
    assert_eq!(world.topology().generation(), generation + 1, "whoever waits is woken");
    assert_eq!(world.writer(), Some("a"), "writes go to the writer, inside or not");
    world.advance(Duration::from_secs(5));
    assert_eq!(readers(&world), ["c:5432"]);
    describe(&mut world, Vec::new(), only(&["b:5432", "c:5432"]));
    assert_eq!(readers(&world), ["b:5432", "c:5432"]);
}

#[test]
fn a_failover_goes_on_whoever_is_in_the_custom_endpoint() {
    let mut world = World::postgres();
    describe(&mut world, Vec::new(), only(&["c:5432"]));
    world.crash("a");
    world.advance(Duration::from_secs(1));
    world.server("b").promote(2);
    world.advance(Duration::from_secs(3));
    assert_eq!(world.writer(), Some("b"));
    assert_eq!(readers(&world), ["c:5432"]);
}

#[test]
fn the_next_engine_knows_what_was_told() {
    let mut world = World::postgres();
    describe(&mut world, vec![told("a:5432", "eu-west-1a")], only(&["c:5432"]));
    let heir = world.engine.successor(7, Instant::now());
    let topology = heir.topology();
    let instance = |id: &str| topology.instance(&id.into()).unwrap().clone();
    assert_eq!(instance("a:5432").availability_zone(), Some("eu-west-1a"));
    assert!(instance("b:5432").is_outside_endpoint());
}
