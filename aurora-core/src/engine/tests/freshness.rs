//! As of when is a reader fresh, in the life of a cluster.

use std::time::Duration;

use super::rules::aurora;
use super::server::suggested;
use super::world::World;
use super::{ms, secs};
use crate::engine::Input;
use crate::topology::Inherited;

fn age(world: &World, host: &str) -> Option<Duration> {
    world.instance(host).fresh_as_of().map(|at| world.now - at)
}

#[test]
fn an_idle_cluster_stays_fresh() {
    let mut world = World::postgres();
    for _ in 0..100 {
        world.advance(secs(60));
        assert!(age(&world, "b").is_some_and(|age| age <= ms(1010)), "{:?}", age(&world, "b"));
    }
}

#[test]
fn a_reader_whose_replay_is_paused_grows_older_and_catches_up() {
    let mut world = World::postgres();
    for n in 1..=600 {
        world.server("a").position = Some(100 + n);
        world.server("c").position = Some(100 + n);
        world.advance(secs(1));
    }
    assert!(age(&world, "c").is_some_and(|age| age <= ms(2100)));
    let paused = age(&world, "b").unwrap();
    assert!((secs(598)..=secs(602)).contains(&paused), "{paused:?}");
    // It goes on, far behind: what is known of then is coarse, never too good.
    world.server("b").position = Some(400);
    world.advance(secs(2));
    let behind = age(&world, "b").unwrap();
    assert!((secs(300)..=secs(310)).contains(&behind), "{behind:?}");
    world.server("b").position = Some(700);
    world.advance(secs(2));
    assert!(age(&world, "b").is_some_and(|age| age <= ms(1010)));
}

#[test]
fn a_reader_that_restarts_has_to_show_how_far_it_is() {
    let mut world = World::postgres();
    assert!(age(&world, "b").is_some());
    world.server("b").restart();
    world.server("b").position = Some(1);
    world.advance(secs(3));
    assert_eq!(age(&world, "b"), None);
}

#[test]
fn positions_of_the_old_history_mean_nothing_to_a_new_writer() {
    let mut world = World::postgres();
    assert!(age(&world, "c").is_some());
    world.crash("a");
    // c had received more of a than b has; b starts a new history.
    world.server("c").position = Some(900);
    world.server("c").state = super::server::State::Hung;
    world.server("b").promote(2);
    world.server("b").position = Some(500);
    world.until(secs(1), |w| w.writer() == Some("b"));
    world.advance(secs(1));
    assert_eq!(age(&world, "c"), None, "it has shown nothing of b's yet");
}

#[test]
fn a_new_writer_behind_the_old_ones_last_position_is_sampled_all_the_same() {
    let mut world = World::postgres();
    world.server("a").position = Some(900);
    world.advance(secs(2));
    world.crash("a");
    world.server("b").promote(2);
    world.server("b").position = Some(500);
    world.server("c").position = Some(500);
    world.server("c").timeline = Some(2);
    world.until(secs(1), |w| w.writer() == Some("b"));
    world.advance(secs(10));
    assert!(age(&world, "c").is_some_and(|age| age <= ms(1010)), "{:?}", age(&world, "c"));
}

#[test]
fn a_reader_of_a_fenced_writer_is_not_fresh() {
    let mut world = World::postgres();
    world.server("b").promote(2);
    world.until(secs(2), |w| w.writer() == Some("b"));
    // c says that it follows the old timeline, which runs on.
    world.server("c").timeline = Some(1);
    world.server("c").position = Some(5000);
    world.server("a").position = Some(5000);
    world.advance(secs(5));
    assert_eq!(age(&world, "c"), None);
    assert_eq!(world.instance("c").lag(), None);
    assert_eq!(world.instance("a").fresh_as_of(), None, "a is not even a reader");
    world.server("c").timeline = Some(2);
    world.advance(secs(2));
    assert!(age(&world, "c").is_some_and(|age| age <= ms(1010)), "{:?}", age(&world, "c"));
}

#[test]
fn a_writer_that_lost_the_end_of_its_log_in_a_crash_is_sampled_anew() {
    let mut world = World::postgres();
    world.server("a").position = Some(1000);
    world.advance(secs(2));
    world.crash("a");
    world.server("a").restart();
    world.server("a").position = Some(950);
    for host in ["b", "c"] {
        world.server(host).position = Some(950);
    }
    world.advance(secs(10));
    assert!(age(&world, "b").is_some_and(|age| age <= ms(1010)), "{:?}", age(&world, "b"));
}

#[test]
fn where_only_lag_is_reported_it_counts_from_the_question() {
    let mut world = aurora(&["a", "b"]);
    for host in ["a", "b"] {
        world.server(host).position = None;
    }
    world.server("b").lag = Some(secs(3));
    world.server("b").restart();
    world.advance(secs(3));
    let age = age(&world, "b").unwrap();
    assert!((secs(3)..=ms(4010)).contains(&age), "{age:?}");
    assert_eq!(world.instance("b").lag(), Some(secs(3)));
}

#[test]
fn a_writer_is_never_behind_itself() {
    let mut world = World::postgres();
    world.server("a").members = suggested(&["b", "c"]);
    world.advance(secs(2));
    assert_eq!(world.instance("a").lag(), Some(Duration::ZERO));
}

/// A session has written now, and wants to read from a reader. Returns the moment.
fn want(world: &mut World) -> std::time::Instant {
    let required = world.now;
    world.handle(Input::Wanted { required });
    required
}

#[test]
fn whoever_wants_freshness_gets_it_sooner_than_the_next_probe() {
    let mut world = World::postgres();
    world.advance(ms(20));
    let required = want(&mut world);
    let took = world.until(secs(5), |w| w.instance("b").fresh_as_of() >= Some(required));
    assert!(took <= ms(40), "{took:?}");
    // Then the usual pace is good enough.
    world.advance(secs(10));
    assert!(world.asked("a", secs(5)) <= 9, "{}", world.asked("a", secs(5)));
}

#[test]
fn a_reader_a_little_behind_is_asked_often_until_it_has_come() {
    let mut world = World::postgres();
    world.server("a").position = Some(200);
    let required = want(&mut world);
    world.advance(ms(200));
    assert!(world.asked("b", ms(200)) >= 10, "{}", world.asked("b", ms(200)));
    world.server("b").position = Some(200);
    let took = world.until(secs(5), |w| w.instance("b").fresh_as_of() >= Some(required));
    assert!(took <= ms(30), "{took:?}");
}

#[test]
fn a_demand_that_nobody_can_meet_is_no_storm() {
    let mut world = World::postgres();
    world.server("a").position = Some(200);
    for _ in 0..6000 {
        // A crowd asks all the time, and the readers never get there.
        want(&mut world);
        world.advance(ms(10));
    }
    for host in ["a", "b", "c"] {
        // As slow as ever after a while, and never faster than the fastest pace.
        assert!(world.asked(host, secs(5)) <= 9, "{host}: {}", world.asked(host, secs(5)));
        let asked: Vec<_> = world.probes.iter().filter(|(_, to)| to.host() == host).collect();
        assert!(asked.windows(2).all(|pair| pair[1].0 - pair[0].0 >= ms(10)), "{host}");
    }
    // Nobody wants it any more.
    world.advance(secs(10));
    world.server("b").position = Some(200);
    assert!(world.asked("b", secs(5)) <= 9);
}

#[test]
fn without_readers_the_writer_alone_is_sampled() {
    let mut world = World::postgres();
    for host in ["b", "c"] {
        world.crash(host);
    }
    world.advance(secs(30));
    let required = want(&mut world);
    let sampled = |w: &World| {
        w.topology().sampled.as_ref().is_some_and(|s| s.position_since(Some(required)).is_some())
    };
    let took = world.until(secs(5), sampled);
    assert!(took <= ms(20), "{took:?}");
}

#[test]
fn what_the_new_writer_had_as_a_reader_survived() {
    let mut world = World::postgres();
    for host in ["a", "b", "c"] {
        world.server(host).position = Some(700);
        if host != "a" {
            world.server(host).timeline = Some(1);
        }
    }
    world.advance(secs(2));
    world.server("a").position = Some(900);
    world.crash("a");
    world.server("b").promote(2);
    world.server("b").position = Some(750);
    world.until(secs(1), |w| w.writer() == Some("b"));
    let known = Inherited { incarnation: 1, position: 700 };
    assert_eq!(*world.topology().inherited, [known]);
    let sampled = world.topology().sampled.clone().unwrap();
    assert_eq!((sampled.position_since(None), sampled.incarnation), (Some(750), Some(2)));
    // The next one had not said whom it follows: nothing is known any more.
    world.crash("b");
    world.server("c").promote(3);
    world.until(secs(1), |w| w.writer() == Some("c"));
    assert_eq!(*world.topology().inherited, []);
}
