//! The cache in virtual time.

use std::time::{Duration, Instant};

use super::*;

mod hour;

const WINDOW: Duration = Duration::from_secs(90);

/// A cache and a clock.
struct World {
    cache: Cache,
    now: Instant,
}

impl World {
    fn new(window: Duration) -> Self {
        Self { cache: Cache::new(window, 7), now: Instant::now() }
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn look(&mut self) -> (Look, bool) {
        self.cache.look(self.now)
    }

    /// What is to be used, and whether a fetch has to begin.
    fn password(&mut self) -> (String, u64, bool) {
        match self.look() {
            (Look::Use { credentials, serial }, begins) => {
                (credentials.password().expose().to_owned(), serial, begins)
            }
            other => panic!("nothing to use: {other:?}"),
        }
    }

    fn fetches(&mut self, password: &str) -> &mut Self {
        self.cache.fetched(self.now, Ok(Credentials::new(password)));
        self
    }

    fn fails(&mut self, error: CredentialsError) {
        self.cache.fetched(self.now, Err(error));
    }

    /// A cache whose `password` the server has accepted.
    fn working(window: Duration, password: &str) -> Self {
        let mut world = Self::new(window);
        assert_eq!(world.look(), (Look::Wait(None), true));
        let (_, serial, _) = world.fetches(password).password();
        world.cache.accepted(serial);
        world
    }

    fn refuse(&mut self) -> &mut Self {
        let (_, serial, _) = self.password();
        self.cache.refused(self.now, serial, "password authentication failed");
        self
    }
}

fn refused() -> Look {
    Look::Fail(Hopeless::Refused("password authentication failed".to_owned()))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn one_fetch_at_a_time_whoever_looks() {
    let mut world = World::new(WINDOW);
    assert_eq!(world.look(), (Look::Wait(None), true));
    assert_eq!(world.look(), (Look::Wait(None), false));
    let (password, _, begins) = world.fetches("a").password();
    assert_eq!((password.as_str(), begins), ("a", false));
    let (_, _, begins) = world.after(seconds(100_000)).password();
    assert!(!begins, "without an expiry they are good until they are refused");
}

#[test]
fn what_is_stale_is_used_while_it_is_fetched_again() {
    let mut world = World::new(WINDOW);
    world.look();
    let fresh = Credentials::new("a").refresh_at(world.now + seconds(100));
    world.cache.fetched(world.now, Ok(fresh));
    assert!(!world.after(seconds(89)).password().2, "not before nine tenths of the time");
    assert!(world.after(seconds(11)).password().2);
    assert!(!world.password().2, "it is under way");
    world.fails(CredentialsError::transient("throttled"));
    let (password, _, begins) = world.password();
    assert_eq!((password.as_str(), begins), ("a", false), "a failing source blocks nobody");
    assert!(world.after(seconds(1)).password().2, "and is asked again after a pause");
    world.fetches("b");
    assert_eq!(world.password().0, "b");
}

#[test]
fn what_expires_is_replaced_ahead_of_its_time_and_never_used_after_it() {
    let mut world = World::new(Duration::ZERO);
    world.look();
    let token =
        |world: &World, text: &str| Ok(Credentials::new(text).expires_at(world.now + seconds(900)));
    world.cache.fetched(world.now, token(&world, "a"));
    assert!(!world.after(seconds(640)).password().2);
    assert!(world.after(seconds(80)).password().2, "after four fifths of its life");
    world.fails(CredentialsError::transient("no role"));
    assert_eq!(world.after(seconds(179)).password().0, "a");
    assert!(matches!(world.after(seconds(1)).look().0, Look::Wait(_)), "it has expired");
    world.cache.fetched(world.now, token(&world, "b"));
    assert_eq!(world.password().0, "b");
}

#[test]
fn credentials_that_never_worked_fail_at_once_and_are_tried_once() {
    let mut world = World::new(WINDOW);
    world.look();
    world.fetches("wrong").refuse();
    assert_eq!(world.look(), (Look::Wait(None), true), "it may have changed this very moment");
    world.fetches("wrong");
    assert_eq!(world.look(), (refused(), false));
    assert_eq!(world.after(seconds(29)).look(), (refused(), false), "nobody is asked");
    assert_eq!(world.after(seconds(1)).look(), (refused(), true), "nobody waits");
    world.fetches("wrong");
    assert_eq!(world.password().0, "wrong", "half a minute later the server may have been told");
    world.refuse();
    assert_eq!(world.look(), (refused(), false));
    world.after(seconds(30)).look();
    assert_eq!(world.fetches("right").password().0, "right");
}

#[test]
fn a_rotation_costs_one_fetch() {
    let mut world = World::working(WINDOW, "a");
    let (_, old, _) = world.password();
    world.refuse();
    assert_eq!(world.look(), (Look::Wait(None), true));
    assert_eq!(world.look(), (Look::Wait(None), false), "single flight");
    let (password, new, _) = world.fetches("b").password();
    assert_eq!(password, "b");
    // A login with the old one that was under way.
    world.cache.refused(world.now, old, "late");
    assert_eq!(world.password(), ("b".to_owned(), new, false));
    world.cache.accepted(new);
    assert_eq!(world.password(), ("b".to_owned(), new, false));
}

#[test]
fn while_the_server_is_ahead_it_is_tried_at_growing_intervals_until_the_window_ends() {
    let mut world = World::working(WINDOW, "a");
    let begin = world.now;
    world.refuse();
    let mut tries = Vec::new();
    let mut fetches = 0;
    loop {
        match world.look() {
            (Look::Wait(None), true) => {
                fetches += 1;
                world.fetches("a");
            }
            (Look::Wait(Some(at)), false) => world.now = at,
            (Look::Use { serial, .. }, _) => {
                tries.push(world.now.duration_since(begin).as_secs());
                world.cache.refused(world.now, serial, "password authentication failed");
            }
            (Look::Fail(_), _) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tries, [1, 3, 7, 15, 31, 61]);
    assert_eq!(fetches, tries.len() + 1);
    assert_eq!(world.look(), (refused(), false));
}

#[test]
fn a_server_that_is_behind_still_gets_what_it_takes() {
    let mut world = World::working(WINDOW, "old");
    world.cache.current.as_mut().unwrap().refresh_at = Some(world.now);
    assert!(world.password().2);
    assert_eq!(world.fetches("new").password().0, "new");
    world.refuse();
    let (password, old, begins) = world.password();
    assert_eq!((password.as_str(), begins), ("old", true));
    world.fetches("new");
    assert_eq!(world.password().0, "old");
    // Now the server has been told.
    world.after(seconds(60));
    world.cache.refused(world.now, old, "password authentication failed");
    let (password, new, _) = world.password();
    assert_eq!(password, "new");
    world.cache.accepted(new);
    assert_eq!(world.password(), ("new".to_owned(), new, false));
}

#[test]
fn a_source_that_fails_for_good_says_so_at_once_and_is_asked_again_seldom() {
    let mut world = World::new(WINDOW);
    world.look();
    let denied = CredentialsError::permanent("access denied");
    world.fails(denied.clone());
    let told = Look::Fail(Hopeless::NotProvided(denied));
    assert_eq!(world.look(), (told.clone(), false));
    assert_eq!(world.after(seconds(1)).look(), (told, true));
    assert_eq!(world.fetches("a").password().0, "a");
}

#[test]
fn a_source_that_is_away_is_waited_for() {
    let mut world = World::new(WINDOW);
    world.look();
    world.fails(CredentialsError::transient("no answer"));
    let again = world.now + seconds(1);
    assert_eq!(world.look(), (Look::Wait(Some(again)), false));
    assert_eq!(world.after(seconds(1)).look(), (Look::Wait(None), true));
}

#[test]
fn an_acceptance_that_comes_late_does_not_undo_a_refusal() {
    let mut world = World::working(WINDOW, "a");
    let (_, serial, _) = world.password();
    world.refuse();
    world.cache.accepted(serial);
    assert_eq!(world.look(), (Look::Wait(None), true));
}

#[test]
fn what_was_refused_is_told_to_the_source() {
    let mut world = World::working(WINDOW, "a");
    assert!(world.cache.refused_ones().is_empty());
    world.refuse().look();
    assert_eq!(world.cache.refused_ones(), [Credentials::new("a")]);
    let (_, serial, _) = world.fetches("b").password();
    world.cache.accepted(serial);
    assert!(world.cache.refused_ones().is_empty());
}
