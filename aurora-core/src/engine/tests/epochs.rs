//! No connection of an earlier epoch passes for one of a later, whatever names lead where, and no
//! two instances have one name.

use std::sync::Arc;
use std::time::Instant;

use super::defaults;
use crate::config::Address;
use crate::engine::{Engine, Input, Listed, Members, Report, Settings, Slot};
use crate::topology::InstanceId;

struct Told {
    engine: Engine,
    now: Instant,
}

impl Told {
    fn new(hosts: &[&str]) -> Self {
        Self::with(defaults(), hosts)
    }

    fn with(settings: Settings, hosts: &[&str]) -> Self {
        let now = Instant::now();
        let addresses: Vec<_> = hosts.iter().map(|host| Address::new(*host, 5432)).collect();
        Self { engine: Engine::new(settings, &addresses, 1, now), now }
    }

    /// The instance of that slot answers with that name.
    fn answers(&mut self, slot: u32, name: &str) {
        self.reports(slot, Report { name: Some(Arc::from(name)), ..Report::default() });
    }

    fn reports(&mut self, slot: u32, report: Report) {
        let (slot, asked_at) = (Slot(slot), self.now);
        self.engine.handle(self.now, Input::Answered { slot, asked_at, report }, &mut Vec::new());
    }

    fn epoch(&self, name: &str) -> Option<u64> {
        self.engine.topology().instance(&InstanceId::from(name)).map(|i| i.epoch())
    }
}

/// An address leads to "c", then to others; "c" is found again at an address that had not answered.
#[test]
fn an_instance_that_is_found_elsewhere_repeats_no_epoch() {
    let mut told = Told::new(&["x", "y"]);
    for name in ["a", "b", "c"] {
        told.answers(0, name);
    }
    let before = told.epoch("c").unwrap();
    told.answers(0, "d");
    assert_eq!(told.epoch("c"), None);
    told.answers(1, "c");
    assert!(told.epoch("c").unwrap() > before, "{:?}", told.engine.topology());
}

/// The name that an address had before it answered is nobody's any more, and then another one's.
#[test]
fn a_name_that_nobody_has_any_more_repeats_no_epoch() {
    let mut told = Told::new(&["x", "y"]);
    let before = told.epoch("x:5432").unwrap();
    told.answers(0, "a");
    told.answers(1, "x:5432");
    assert!(told.epoch("x:5432").unwrap() > before, "{:?}", told.engine.topology());
}

/// One member has the name of who answers, and another one its process: both are the same.
#[test]
fn one_that_is_known_twice_is_one_afterwards() {
    let pattern = Some("?.example.com".parse().unwrap());
    let mut told = Told::with(Settings { instance_host_pattern: pattern, ..defaults() }, &["x"]);
    let is = |server: &str| Report { server: Some(Arc::from(server)), ..Report::default() };
    let members = Members::Suggested(vec![Address::new("y", 5432)]);
    told.reports(0, Report { members, ..is("one") });
    told.reports(1, is("two"));
    let listed = |name: &str, is_writer| Listed { name: Arc::from(name), is_writer };
    let members = Members::Listed(vec![listed("x:5432", true), listed("c", false)]);
    told.reports(0, Report { members, ..is("one") });
    assert_eq!(told.engine.topology().instances().len(), 3);
    told.reports(0, Report { name: Some(Arc::from("c")), ..is("two") });
    let topology = told.engine.topology();
    let names: Vec<_> = topology.instances().iter().map(|i| i.id().as_str()).collect();
    assert_eq!(names, ["c"]);
}
