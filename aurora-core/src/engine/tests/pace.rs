//! When is whom asked, and how often at most.

use super::server::{Server, State};
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{Complaint, FailureKind, Input};
use crate::event::Event;
use crate::topology::{Health, Role};

fn gaps(world: &World, host: &str) -> Vec<std::time::Duration> {
    let at: Vec<_> =
        world.probes.iter().filter(|(_, a)| a.host() == host).map(|(at, _)| *at).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn the_normal_pace_has_jitter_within_a_tenth() {
    let mut world = World::postgres();
    world.probes.clear();
    world.advance(secs(120));
    let gaps = gaps(&world, "b");
    // The interval runs from the answer, which takes a millisecond.
    assert!(gaps.iter().all(|gap| (ms(675)..=ms(751)).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().max() > gaps.iter().min().map(|gap| *gap + ms(15)).as_ref());
}

#[test]
fn readers_are_asked_when_the_writer_has_answered() {
    let mut world = World::postgres();
    world.advance(secs(5));
    world.probes.clear();
    world.advance(secs(60));
    let asked = |host: &str| -> Vec<_> {
        world.probes.iter().filter(|(_, a)| a.host() == host).map(|(at, _)| *at).collect()
    };
    let answered: Vec<_> = asked("a").into_iter().map(|at| at + ms(1)).collect();
    for reader in ["b", "c"] {
        let asked = asked(reader);
        let alone = asked.iter().filter(|at| !answered.contains(at)).count();
        assert!(asked.len() > 70 && alone == 0, "{reader}: {alone} of {}", asked.len());
    }
}

#[test]
fn readers_are_asked_without_a_writer_that_answers() {
    let mut world = World::postgres();
    world.advance(secs(5));
    world.server("a").latency = ms(700);
    world.probes.clear();
    world.advance(secs(20));
    let gaps = gaps(&world, "b");
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| *gap <= ms(751)), "{gaps:?}");
}

#[test]
fn the_hurry_of_a_failover_slows_down_with_its_length() {
    let mut world = World::postgres();
    world.crash("a");
    world.advance(ms(400));
    let gap = |world: &World| *gaps(world, "b").last().unwrap();
    assert!(gap(&world) <= ms(20), "{:?}", gap(&world));
    world.advance(secs(10));
    assert!((ms(150)..=ms(230)).contains(&gap(&world)), "{:?}", gap(&world));
    world.advance(secs(200));
    assert!((ms(675)..=ms(760)).contains(&gap(&world)), "{:?}", gap(&world));
    // The next failover is a fresh one.
    world.server("a").restart();
    world.until(ms(1100), |w| w.writer() == Some("a"));
    world.advance(secs(20));
    world.crash("a");
    world.advance(ms(400));
    assert!(gap(&world) <= ms(20), "{:?}", gap(&world));
}

#[test]
fn nobody_is_asked_before_the_last_question_is_answered() {
    let mut world = World::postgres();
    world.server("b").latency = ms(900);
    world.advance(secs(2));
    world.probes.clear();
    world.crash("a");
    world.advance(secs(5));
    assert!(gaps(&world, "b").iter().all(|gap| *gap >= ms(900)));
}

#[test]
fn a_crash_loop_is_not_followed_at_its_own_pace() {
    let mut world = World::postgres();
    world.server("a").latency = std::time::Duration::from_micros(100);
    world.server("a").hangs_up = true;
    for second in 0..120 {
        world.advance(secs(1));
        for host in ["a", "b", "c"] {
            let asked = world.asked(host, secs(1));
            assert!(asked <= 102, "{host} was asked {asked} times in second {second}");
        }
    }
    for host in ["a", "b", "c"] {
        let asked = world.asked(host, secs(10));
        assert!(asked <= 40, "{host} is asked {asked} times in ten seconds after two minutes");
    }
    let changes = world.events.len();
    assert!(changes < 3000, "{changes} events");
}

#[test]
fn a_writer_that_refuses_again_and_again_is_not_hammered() {
    for complaint in [Complaint::WrongRole, Complaint::ConnectionLost] {
        let mut world = World::postgres();
        for _ in 0..60 {
            for _ in 0..1000 {
                let epoch = world.instance("a").epoch();
                world.complain("a:5432", epoch, complaint);
                world.advance(ms(1));
            }
            for host in ["a", "b", "c"] {
                assert!(world.asked(host, secs(1)) <= 102);
            }
        }
        assert!(world.asked("a", secs(10)) <= 40, "{}", world.asked("a", secs(10)));
    }
}

#[test]
fn a_writer_that_comes_and_goes_is_not_hammered() {
    let mut world = World::new(defaults(), &["a"]);
    world.serve("a", Server { writes: true, timeline: Some(1), ..Server::postgres(1) });
    for _ in 0..3000 {
        world.server("a").restart();
        world.advance(ms(11));
        world.crash("a");
        world.advance(ms(11));
        assert!(world.asked("a", secs(1)) <= 102);
    }
    assert!(world.asked("a", secs(10)) <= 60, "{}", world.asked("a", secs(10)));
}

#[test]
fn every_failure_is_met_with_patience() {
    let kinds = [
        FailureKind::Authentication,
        FailureKind::NotReady,
        FailureKind::Other,
        FailureKind::Privilege,
        FailureKind::Refused,
        FailureKind::Reset,
        FailureKind::TooManyConnections,
    ];
    for kind in kinds {
        let mut world = World::postgres();
        for host in ["a", "b", "c"] {
            world.server(host).state = State::Fails(kind);
            world.server(host).latency = ms(0);
            world.hang_up(host);
        }
        for _ in 0..90 {
            world.advance(secs(1));
            let worst = ["a", "b", "c"].map(|host| world.asked(host, secs(1)));
            assert!(worst.iter().all(|asked| *asked <= 101), "{kind:?}: {worst:?}");
        }
        assert!(world.asked("a", secs(10)) <= 16, "{kind:?}");
    }
}

#[test]
fn a_probe_that_is_never_reported_is_given_up() {
    let mut world = World::postgres();
    world.server("b").state = State::MonitorStuck;
    let took = world.until(secs(10), |w| w.is("b", Role::Reader, Health::Suspect));
    assert!(took <= secs(6), "{took:?}");
    world.until(secs(10), |w| w.is("b", Role::Reader, Health::Lost));
    world.server("b").state = State::Up;
    world.until(secs(10), |w| w.is("b", Role::Reader, Health::Online));
}

#[test]
fn a_monitor_that_dies_is_announced_and_replaced() {
    let mut world = World::postgres();
    let slot = world.slot("b");
    world.handle(Input::MonitorDied { slot, reason: "a bug".to_owned() });
    let death = Event::MonitorRestarted { instance: "b:5432".into(), reason: "a bug".to_owned() };
    assert_eq!(world.events.last().map(|(_, event)| event), Some(&death));
    world.probes.clear();
    world.advance(ms(150));
    assert_eq!(world.asked("b", secs(1)), 1, "asked again after a rest");
    assert!(world.is("b", Role::Reader, Health::Online), "that was not its fault");
}

#[test]
fn monitors_that_always_die_rest_longer_and_longer() {
    let mut world = World::postgres();
    world.monitors_die = true;
    world.advance(secs(120));
    let deaths = |event: &Event| matches!(event, Event::MonitorRestarted { .. });
    let deaths = world.events.iter().filter(|(_, event)| deaths(event)).count();
    assert!((3..=60).contains(&deaths), "{deaths}");
    assert_eq!(world.writer(), Some("a"), "the last good topology stays");
    // A suspicion that nobody can clear ends in a verdict all the same.
    let epoch = world.instance("a").epoch();
    world.complain("a:5432", epoch, Complaint::ConnectionLost);
    world.until(secs(15), |w| w.is("a", Role::Writer, Health::Lost));
    world.monitors_die = false;
    world.until(secs(15), |w| w.writer() == Some("a"));
}
