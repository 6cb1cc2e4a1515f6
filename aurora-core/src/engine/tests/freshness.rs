//! As of when is a reader fresh, in the life of a cluster.

use std::time::Duration;

use super::rules::aurora;
use super::server::suggested;
use super::world::World;
use super::{ms, secs};

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
