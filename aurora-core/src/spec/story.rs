//! Tells a story: actions and time go in, expectations are compared.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::expect::Expect;
use super::format::{Action, Step, Story, Timing};
use super::setup::{self, Made};
use crate::engine::tests::events::replay;
use crate::engine::tests::world::World;
use crate::topology::Topology;

/// The moment with which later ones are compared.
pub(super) struct Mark {
    pub(super) at: Instant,
    pub(super) topology: Arc<Topology>,
    pub(super) events: usize,
    pub(super) probes: usize,
}

impl Mark {
    pub(super) fn of(world: &World) -> Self {
        let topology = world.topology();
        let (events, probes) = (world.events.len(), world.probes.len());
        Self { at: world.now, topology, events, probes }
    }
}

pub(super) struct Teller {
    pub(super) made: Made,
    pub(super) mark: Mark,
    pub(super) replaced: bool,
}

/// What is expected must not hang on the jitter: another language has another generator.
const SEEDS: [u64; 2] = [1, 2];

/// Runs a story; the error says what was expected and what came, `place` in which step.
pub(super) fn tell(story: &Story, place: &Cell<usize>) -> Result<(), String> {
    if story.steps.iter().all(|step| step.expect.is_none() && !repeats(step)) {
        return Err("nothing is expected anywhere".to_owned());
    }
    SEEDS.iter().try_for_each(|seed| {
        let told = tell_with(story, *seed, place);
        told.map_err(|problem| format!("{problem} (seed {seed})"))
    })
}

fn tell_with(story: &Story, seed: u64, place: &Cell<usize>) -> Result<(), String> {
    let made = setup::make(&story.cluster, seed)?;
    let mark = Mark::of(&made.world);
    let mut teller = Teller { made, mark, replaced: false };
    for (index, step) in story.steps.iter().enumerate() {
        place.set(index + 1);
        teller.step(step)?;
    }
    place.set(0);
    // A listener who heard everything knows what the snapshot says.
    if !teller.replaced {
        replay(&teller.made.world);
    }
    Ok(())
}

fn repeats(step: &Step) -> bool {
    matches!(step.action, Some(Action::Repeat { .. }))
}

impl Teller {
    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        if let Some(action) = &step.action {
            self.act(action)?;
        }
        match &step.expect {
            Some(expect) => self.time(&step.timing, expect),
            None => {
                let by = step.timing.advance.unwrap_or_default();
                self.made.world.advance(by.0);
                Ok(())
            }
        }
    }

    fn time(&mut self, timing: &Timing, expect: &Expect) -> Result<(), String> {
        if let Some(limit) = timing.within {
            let took = self.within(limit.0, expect)?;
            return match timing.not_before {
                Some(early) if took < early.0 => Err(format!("too early: after {took:?}")),
                _ => Ok(()),
            };
        }
        if let Some(span) = timing.throughout {
            return self.throughout(span.0, expect);
        }
        self.made.world.advance(timing.advance.unwrap_or_default().0);
        expect.check(&self.made.world, &self.mark)
    }

    fn within(&mut self, limit: Duration, expect: &Expect) -> Result<Duration, String> {
        let began = self.made.world.now;
        let end = began + limit;
        loop {
            let checked = expect.check(&self.made.world, &self.mark);
            let now = self.made.world.now;
            match checked {
                Ok(()) => return Ok(now - began),
                Err(problem) if now >= end => return Err(format!("{problem}, after {limit:?}")),
                Err(_) => self.go_on(end),
            }
        }
    }

    fn throughout(&mut self, span: Duration, expect: &Expect) -> Result<(), String> {
        let (began, end) = (self.made.world.now, self.made.world.now + span);
        loop {
            let now = self.made.world.now;
            let checked = expect.check(&self.made.world, &self.mark);
            checked.map_err(|problem| format!("{problem}, after {:?}", now - began))?;
            if now >= end {
                return Ok(());
            }
            self.go_on(end);
        }
    }

    /// Goes to the next moment at which something happens, but not beyond `end`.
    fn go_on(&mut self, end: Instant) {
        let world = &mut self.made.world;
        let next = world.next().unwrap_or(end).max(world.now + Duration::from_micros(1)).min(end);
        world.advance(next - world.now);
    }
}
