//! A reader that has just come up has a cold cache: for a while it gets less than its share.

use std::time::{Duration, Instant};

use super::{Engine, Report};

/// What it gets at first, in percent: enough to warm its cache by.
const LEAST: u8 = 10;

impl Engine {
    /// Another process of the server answers than before, or the first one. A reader that was
    /// merely out of reach is as warm as it was.
    pub(super) fn notice_start(&mut self, index: usize, report: &Report, now: Instant) {
        let member = &mut self.members[index];
        if member.came_up.is_none() || member.server != report.server {
            member.came_up = Some(now);
        }
    }

    pub(super) fn warm_up(&mut self, now: Instant) {
        let duration = self.settings.slow_start;
        for member in &mut self.members {
            let age = member.came_up.map(|came_up| now.saturating_duration_since(came_up));
            member.weight = age.map_or(100, |age| weight(age, duration));
        }
    }
}

/// How much of its share a reader of that age gets, in percent.
fn weight(age: Duration, slow_start: Duration) -> u8 {
    if age >= slow_start {
        return 100;
    }
    let percent = age.as_nanos() * 100 / slow_start.as_nanos().max(1);
    u8::try_from(percent).map_or(100, |percent| percent.clamp(LEAST, 100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{defaults, server::Server, world::World};

    const SLOW_START: Duration = Duration::from_secs(30);

    #[test]
    fn the_weight_grows_from_a_tenth_to_all() {
        let seconds = [0, 1, 3, 6, 15, 29, 30, 60];
        let weights = seconds.map(|age| weight(Duration::from_secs(age), SLOW_START));
        assert_eq!(weights, [10, 10, 10, 20, 50, 96, 100, 100]);
        assert_eq!(weight(Duration::ZERO, Duration::ZERO), 100, "it is off");
    }

    fn weights(world: &World) -> [u8; 3] {
        ["a", "b", "c"].map(|name| world.instance(name).weight())
    }

    fn world(slow_start: Duration) -> World {
        let mut world = World::settled(crate::engine::Settings { slow_start, ..defaults() }, 1);
        world.advance(SLOW_START);
        assert_eq!(weights(&world), [100; 3]);
        world
    }

    #[test]
    fn a_reader_that_restarted_or_is_new_gets_its_share_little_by_little() {
        let mut world = world(SLOW_START);
        world.crash("b");
        world.advance(Duration::from_secs(1));
        world.server("b").restart();
        world.serve("d", Server::postgres(4));
        world.server("a").members = crate::engine::tests::server::suggested(&["b", "c", "d"]);
        world.until(Duration::from_secs(3), |world| world.instance("b").weight() < 100);
        world.until(Duration::from_secs(3), |world| world.find("d").is_some());
        world.advance(Duration::from_secs(1));
        assert_eq!((weights(&world), world.instance("d").weight()), ([100, 10, 100], 10));
        world.advance(SLOW_START / 2);
        let half = world.instance("b").weight();
        assert!((45..65).contains(&half), "{half}");
        world.advance(SLOW_START);
        assert_eq!((weights(&world), world.instance("d").weight()), ([100; 3], 100));
    }

    #[test]
    fn one_that_was_out_of_reach_is_as_warm_as_it_was() {
        let mut world = world(SLOW_START);
        world.server("b").state = crate::engine::tests::server::State::Hung;
        world.until(Duration::from_secs(3), |world| world.topology().readers().len() == 1);
        world.server("b").state = crate::engine::tests::server::State::Up;
        world.until(Duration::from_secs(3), |world| world.topology().readers().len() == 2);
        assert_eq!(weights(&world), [100; 3]);
    }

    #[test]
    fn without_the_option_nobody_starts_slowly() {
        let mut world = world(Duration::ZERO);
        world.crash("b");
        world.advance(Duration::from_secs(1));
        world.server("b").restart();
        world.until(Duration::from_secs(3), |world| world.topology().readers().len() == 2);
        assert_eq!(weights(&world), [100; 3]);
    }
}
