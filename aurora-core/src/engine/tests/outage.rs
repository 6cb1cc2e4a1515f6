//! Instances that break, hang, are full, or only seem to.

use super::server::State;
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{Complaint, FailureKind, Input, ProbeFailure, Settings};
use crate::event::Event;
use crate::topology::{Health, Role};

fn was_lost(world: &World) -> bool {
    let lost = |event: &Event| matches!(event, Event::HealthChanged { to: Health::Lost, .. });
    world.events.iter().any(|(_, event)| lost(event))
}

#[test]
fn a_backend_crash_is_not_a_loss() {
    let mut world = World::postgres();
    let epoch = world.instance("a").epoch();
    world.server("a").state = State::Fails(FailureKind::NotReady);
    world.hang_up("a");
    assert!(world.is("a", Role::Writer, Health::Suspect));
    let failed = |world: &World| world.instance("a").stats().failed_probes();
    let before = failed(&world);
    world.advance(ms(100));
    assert!(failed(&world) > before, "who looks at the counters sees it as well");
    world.server("a").state = State::Up;
    let back = world.until(secs(1), |w| w.writer() == Some("a"));
    assert!(back <= ms(30), "{back:?}");
    assert!(!was_lost(&world));
    assert_eq!(world.instance("a").epoch(), epoch + 1, "its sessions broke, once");
}

#[test]
fn a_session_of_the_monitor_that_broke_or_was_given_up_is_not_the_same_one() {
    let mut world = World::postgres();
    world.advance(secs(3));
    let before = world.instance("a").watched_since().unwrap();
    assert!(Some(before) < world.instance("a").confirmed_at(), "it outlives a probe");
    world.server("a").state = State::Hung;
    world.until(secs(5), |w| w.is("a", Role::Writer, Health::Lost));
    assert_eq!(world.instance("a").watched_since(), None);
    world.server("a").state = State::Up;
    world.until(secs(5), |w| w.instance("a").health() == Health::Online);
    let since = world.instance("a").watched_since();
    assert!(since > Some(before));
    // A try beside a silent one was answered first: the engine is told before the answer.
    let slot = world.slot("a");
    world.handle(Input::SessionBegan { slot });
    assert_eq!(world.instance("a").watched_since(), None);
    world.advance(secs(3));
    assert!(world.instance("a").watched_since() > since);
}

#[test]
fn a_blackholed_writer_is_lost_in_time() {
    // Wherever in the interval it begins.
    for offset in 0..20 {
        let mut world = World::postgres();
        world.advance(ms(offset * 53));
        world.server("a").state = State::Hung;
        let took = world.until(secs(5), |w| w.is("a", Role::Writer, Health::Lost));
        assert!(took <= ms(2500), "the detection time: {took:?}");
        assert!(took >= ms(1750), "it has its time to answer: {took:?}");
        assert_eq!(world.topology().readers().len(), 2);
    }
}

#[test]
fn a_hung_writer_is_suspect_first_and_back_when_it_goes_on() {
    let mut world = World::postgres();
    world.server("a").state = State::Hung;
    let suspect = world.until(secs(3), |w| w.is("a", Role::Writer, Health::Suspect));
    assert!(suspect <= ms(2010), "{suspect:?}");
    let epoch = world.instance("a").epoch();
    world.server("a").state = State::Up;
    // The connect that hangs has to time out first.
    world.until(ms(2100), |w| w.writer() == Some("a"));
    world.advance(secs(10));
    assert!(world.instance("a").epoch() > epoch || !was_lost(&world));
}

#[test]
fn a_hung_writer_that_was_overtaken_is_not_waited_for() {
    let mut world = World::postgres();
    world.server("a").state = State::Hung;
    world.until(secs(3), |w| w.is("a", Role::Writer, Health::Suspect));
    world.server("b").promote(2);
    world.until(ms(50), |w| w.writer() == Some("b"));
    assert!(world.is("a", Role::Unknown, Health::Lost), "{:#?}", world.instance("a"));
    let mut other = World::postgres();
    other.server("a").state = State::Hung;
    other.server("b").promote(2);
    let took = other.until(secs(3), |w| w.is("a", Role::Unknown, Health::Lost));
    let elected = other
        .snapshots
        .iter()
        .find(|(_, t)| t.writer().is_some_and(|w| w.id().as_str() == "b:5432"));
    let since = other.now - elected.unwrap().0;
    assert!(since <= ms(360), "it is asked at once, and tried once more: {since:?} of {took:?}");
    // It goes on, and does not know better.
    world.server("a").state = State::Up;
    world.until(secs(3), |w| w.is("a", Role::Unknown, Health::Fenced));
    assert_eq!(world.writer(), Some("b"));
}

#[test]
fn a_complaint_about_a_hung_writer_speeds_up_the_verdict() {
    let mut world = World::postgres();
    world.server("a").state = State::Hung;
    let epoch = world.instance("a").epoch();
    world.complain("a:5432", epoch, Complaint::ConnectionLost);
    assert!(world.is("a", Role::Writer, Health::Suspect));
    let took = world.until(secs(5), |w| w.is("a", Role::Writer, Health::Lost));
    assert!(took <= ms(1770), "{took:?}");
}

#[test]
fn a_slow_instance_is_not_a_dead_one() {
    let mut world = World::postgres();
    for host in ["a", "b", "c"] {
        world.server(host).latency = ms(950);
    }
    // What is much slower than before is watched, until it is known to be slow.
    world.advance(secs(10));
    let before = world.topology().generation();
    world.advance(secs(120));
    assert_eq!(world.topology().generation(), before);
    assert!(!was_lost(&world));
}

#[test]
fn three_times_the_usual_time_is_not_even_suspicious() {
    let mut world = World::postgres();
    for host in ["a", "b", "c"] {
        world.server(host).latency = ms(200);
    }
    world.advance(secs(30));
    let before = world.topology().generation();
    for host in ["a", "b", "c"] {
        world.server(host).latency = ms(600);
    }
    world.advance(secs(30));
    assert_eq!(world.topology().generation(), before);
}

#[test]
fn tries_that_stall_condemn_nobody() {
    for seed in 0..10 {
        let mut world = World::postgres_seeded(seed);
        for host in ["a", "b", "c"] {
            world.server(host).latency = ms(3);
            world.server(host).stalled = 5;
        }
        world.advance(secs(3600));
        assert!(!was_lost(&world), "seed {seed}");
        assert_eq!(world.writer(), Some("a"));
    }
}

/// All at once, for an hour: three times the usual time, a twentieth of the tries without an answer,
/// and a program that stands still for half a second again and again.
#[test]
fn an_hour_of_slowness_stalls_and_standstills_condemns_nobody() {
    let tuned = Settings { probe_interval: ms(300), silence: ms(700), ..defaults() };
    // The tuned setting is for a network within a region.
    for (settings, usual) in [(defaults(), ms(20)), (tuned, ms(2))] {
        for seed in 0..3 {
            let mut world = World::settled(settings.clone(), seed);
            for host in ["a", "b", "c"] {
                world.server(host).latency = usual;
            }
            world.advance(secs(30));
            for host in ["a", "b", "c"] {
                world.server(host).latency = usual * 3;
                world.server(host).stalled = 5;
            }
            let hour = world.now + secs(3600);
            while world.now < hour {
                let pause = world.rng.u64(100..4000);
                world.advance(ms(pause));
                // Nothing is delivered meanwhile, and then everything at once.
                world.now += ms(500);
            }
            assert!(!was_lost(&world), "{settings:?}, seed {seed}");
            assert_eq!(world.writer(), Some("a"));
        }
    }
}

#[test]
fn the_tuned_detection_takes_a_second() {
    for offset in 0..20 {
        // `detection_time=1s`.
        let settings = Settings { probe_interval: ms(300), silence: ms(700), ..defaults() };
        let mut world = World::settled(settings, 1);
        world.advance(ms(offset * 17));
        world.server("a").state = State::Hung;
        let took = world.until(secs(5), |w| w.is("a", Role::Writer, Health::Lost));
        assert!(took <= secs(1), "{took:?}");
    }
}

#[test]
fn whoever_answers_statements_is_alive() {
    let mut world = World::postgres();
    // Its listener hangs, and the monitor's connection was lost.
    world.server("a").state = State::Hung;
    for _ in 0..100 {
        let stats = world.instance("a");
        stats.stats().start(world.now).succeeded(world.now + ms(1));
        world.advance(ms(100));
        assert!(!was_lost(&world));
    }
    assert_eq!(world.writer(), Some("a"));
    world.until(ms(2600), |w| w.is("a", Role::Writer, Health::Lost));
}

#[test]
fn a_full_server_is_back_pressure() {
    let mut world = World::postgres();
    let before = world.topology().generation();
    world.server("a").state = State::Fails(FailureKind::TooManyConnections);
    world.advance(secs(60));
    assert_eq!(world.writer(), Some("a"), "its connections go on to serve");
    assert_eq!(world.topology().generation(), before);
    assert!(world.asked("a", secs(10)) <= 16, "{}", world.asked("a", secs(10)));
    // A complaint is answered by it as well: there is somebody.
    let epoch = world.instance("a").epoch();
    world.complain("a:5432", epoch, Complaint::ConnectionLost);
    assert!(world.topology().writer().is_none());
    world.advance(ms(20));
    assert_eq!(world.writer(), Some("a"));
}

#[test]
fn a_full_server_that_may_have_restarted_has_to_speak_first() {
    let mut world = World::postgres();
    world.server("a").state = State::Fails(FailureKind::TooManyConnections);
    world.hang_up("a");
    world.advance(secs(20));
    assert!(world.is("a", Role::Writer, Health::Suspect));
    assert!(!was_lost(&world), "it is not dead");
    assert!(world.asked("a", secs(10)) <= 16, "{}", world.asked("a", secs(10)));
    world.server("a").state = State::Up;
    world.until(ms(1100), |w| w.writer() == Some("a"));
}

#[test]
fn a_wrong_password_is_not_tried_often() {
    let mut world = World::postgres();
    world.server("a").state = State::Fails(FailureKind::Authentication);
    world.hang_up("a");
    world.advance(secs(30));
    assert!(world.asked("a", secs(10)) <= 16, "{}", world.asked("a", secs(10)));
}

#[test]
fn our_own_delay_is_not_the_instances_silence() {
    let mut world = World::postgres();
    let (slot, asked_at) = (world.slot("a"), world.now);
    world.server("a").state = State::MonitorStuck;
    world.advance(secs(4));
    world.server("a").state = State::Up;
    let failure = ProbeFailure { kind: FailureKind::Silent, message: "late".into() };
    world.handle(Input::Unreachable { slot, asked_at, failure });
    assert!(world.is("a", Role::Writer, Health::Suspect), "one failed probe is no verdict");
    world.advance(ms(30));
    assert_eq!(world.writer(), Some("a"));
    assert!(!was_lost(&world));
}

#[test]
fn a_lost_reader_comes_back_in_a_new_epoch() {
    let mut world = World::postgres();
    let epoch = world.instance("b").epoch();
    world.crash("b");
    world.until(ms(100), |w| w.is("b", Role::Reader, Health::Lost));
    world.advance(secs(10));
    world.server("b").restart();
    world.until(ms(1100), |w| w.is("b", Role::Reader, Health::Online));
    assert!(world.instance("b").epoch() > epoch);
    assert_eq!(world.instance("b").last_error(), None);
    assert_eq!(world.writer(), Some("a"));
}

#[test]
fn single_connections_that_break_do_not_keep_a_healthy_writer_out_of_use() {
    let mut world = World::postgres();
    let mut waited = 0;
    for _ in 0..10_000 {
        let epoch = world.instance("a").epoch();
        world.complain("a:5432", epoch, Complaint::ConnectionLost);
        world.advance(ms(2));
        waited += u32::from(world.writer().is_none());
    }
    assert!(waited < 500, "out of use for {waited} of 10000 moments");
    assert!(!was_lost(&world));
}

#[test]
fn an_operator_takes_an_instance_out_of_use_and_brings_it_back() {
    let mut world = World::postgres();
    let online = |online| Input::SetOnline { instance: "a:5432".into(), online };
    world.handle(online(false));
    assert!(world.topology().writer().is_none());
    world.advance(secs(20));
    assert!(world.is("a", Role::Writer, Health::Online));
    assert!(world.asked("b", secs(10)) <= 16, "there is nothing to find out");
    world.handle(online(true));
    assert_eq!(world.writer(), Some("a"));
    world.handle(Input::SetOnline { instance: "nobody".into(), online: false });
    assert_eq!(world.writer(), Some("a"));
}
