//! The writer goes, and another one comes.

use super::rules::aurora;
use super::server::State;
use super::world::World;
use super::{ms, secs};
use crate::engine::{Complaint, FailureKind, Input, ProbeFailure};
use crate::event::Event;
use crate::topology::{Health, Role};

#[test]
fn failover_from_end_to_end() {
    let mut world = World::postgres();
    let old = world.instance("a").epoch();
    world.crash("a");
    let lost = world.until(ms(100), |w| w.is("a", Role::Writer, Health::Lost));
    assert!(lost <= ms(15), "refused is a verdict: {lost:?}");
    assert!(world.instance("a").epoch() > old, "its connections are out of use");
    assert!(world.topology().writer().is_none(), "writes wait");
    assert_eq!(world.topology().readers().len(), 2, "reads go on");
    world.advance(secs(1));
    let epoch = world.instance("b").epoch();
    world.server("b").promote(2);
    let found = world.until(secs(1), |w| w.writer() == Some("b"));
    assert!(found <= ms(50), "asked often enough: {found:?}");
    assert!(world.instance("b").epoch() > epoch);
    world.server("a").rejoin();
    world.until(secs(2), |w| w.is("a", Role::Reader, Health::Online));
    // Late errors of the old epoch change nothing, however long ago the last trouble was.
    let before = world.topology().generation();
    for epoch in 0..=old {
        world.advance(secs(15));
        world.complain("a:5432", epoch, Complaint::ConnectionLost);
        assert!(world.is("a", Role::Reader, Health::Online));
    }
    assert_eq!(world.topology().generation(), before);
    world.advance(secs(30));
    assert_eq!(world.topology().generation(), before, "calm again");
    let changes: Vec<_> =
        world.events.iter().filter(|(_, e)| matches!(e, Event::WriterChanged { .. })).collect();
    assert_eq!(changes.len(), 2, "the first writer and the second: {changes:?}");
}

#[test]
fn a_switchover_with_the_old_writer_alive() {
    let mut world = World::postgres();
    let epochs = ["a", "b"].map(|host| world.instance(host).epoch());
    world.server("a").rejoin();
    world.server("b").promote(2);
    world.hang_up("a");
    let took = world.until(secs(1), |w| w.writer() == Some("b"));
    assert!(took <= ms(20), "{took:?}");
    world.until(ms(100), |w| w.is("a", Role::Reader, Health::Online));
    assert!(world.instance("a").epoch() > epochs[0]);
    assert!(world.instance("b").epoch() > epochs[1]);
}

#[test]
fn a_promotion_under_a_live_session_is_noticed_within_an_interval() {
    let mut world = World::postgres();
    world.server("b").promote(2);
    world.until(ms(1010), |w| w.writer() == Some("b"));
    assert!(world.is("a", Role::Unknown, Health::Fenced));
}

#[test]
fn double_failover() {
    let mut world = World::postgres();
    world.crash("a");
    world.advance(ms(300));
    world.server("b").promote(2);
    world.until(ms(100), |w| w.writer() == Some("b"));
    world.crash("b");
    assert!(world.topology().writer().is_none());
    world.advance(ms(300));
    world.server("c").promote(3);
    world.until(ms(100), |w| w.writer() == Some("c"));
    // Both come back as what they are not any more.
    world.server("a").restart();
    world.server("b").restart();
    world.advance(secs(5));
    assert_eq!(world.writer(), Some("c"));
    for host in ["a", "b"] {
        assert!(world.is(host, Role::Unknown, Health::Fenced));
    }
}

#[test]
fn the_same_writer_restarted() {
    let mut world = World::postgres();
    let (epoch, b) = (world.instance("a").epoch(), world.instance("b").epoch());
    world.crash("a");
    world.advance(ms(200));
    world.server("a").restart();
    let back = world.until(secs(1), |w| w.writer() == Some("a"));
    assert!(back <= ms(50), "{back:?}");
    assert!(world.instance("a").epoch() > epoch, "its old connections are gone");
    assert_eq!(world.instance("b").epoch(), b);
    let moved = |e: &Event| matches!(e, Event::WriterChanged { from: Some(_), .. });
    assert!(!world.events.iter().any(|(_, e)| moved(e)), "it never was another one");
}

#[test]
fn no_candidate_leaves_the_reads() {
    let mut world = World::postgres();
    world.crash("a");
    world.advance(secs(120));
    assert!(world.topology().writer().is_none());
    assert_eq!(world.topology().readers().len(), 2);
    assert!(world.is("a", Role::Writer, Health::Lost), "nobody else is elected");
}

#[test]
fn aurora_restarts_everybody() {
    let mut world = aurora(&["a", "b", "c"]);
    for host in ["a", "b", "c"] {
        world.crash(host);
    }
    assert!(world.topology().writer().is_none());
    world.advance(ms(800));
    for host in ["a", "b", "c"] {
        world.server(host).restart();
        // For a while the table still names the old writer.
        world.server(host).writes = false;
    }
    world.until(secs(1), |w| w.topology().readers().len() == 3);
    assert!(world.topology().writer().is_none());
    world.server("b").writes = true;
    world.until(ms(100), |w| w.writer() == Some("b"));
}

#[test]
fn an_answer_from_before_the_suspicion_does_not_clear_it() {
    let mut world = World::postgres();
    let (slot, asked_at) = (world.slot("a"), world.now);
    world.advance(ms(500));
    let (epoch, report) = (world.instance("a").epoch(), world.server("a").report());
    world.server("a").state = State::Hung;
    world.complain("a:5432", epoch, Complaint::ConnectionLost);
    assert!(world.is("a", Role::Writer, Health::Suspect));
    world.handle(Input::Answered { slot, asked_at, report: report.clone() });
    assert!(world.is("a", Role::Writer, Health::Suspect));
    let asked_at = world.now;
    world.handle(Input::Answered { slot, asked_at, report });
    assert_eq!(world.writer(), Some("a"));
}

#[test]
fn reports_about_a_retired_instance_change_nothing() {
    let mut world = World::postgres();
    world.dns.insert("second-name".to_owned(), "a");
    world.server("b").members = super::server::suggested(&["second-name"]);
    world.advance(secs(3));
    assert!(world.find("second-name").is_none());
    let before = world.topology();
    let slot = crate::engine::Slot(3);
    let failure = ProbeFailure { kind: FailureKind::Refused, message: "late".into() };
    world.handle(Input::Unreachable { slot, asked_at: world.now, failure });
    world.handle(Input::Disconnected { slot, message: "late".into() });
    let report = crate::engine::Report { accepts_writes: true, ..Default::default() };
    world.handle(Input::Answered { slot, asked_at: world.now, report });
    assert!(!world.topology().differs_from(&before));
}
