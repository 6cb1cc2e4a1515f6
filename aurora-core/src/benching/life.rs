//! The engine of a healthy cluster whose instances answer whenever they are asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config;
use crate::config::Address;
use crate::driver::settings;
use crate::engine::{Engine, Input, Members, Output, Report, Slot};
use crate::error::Error;
use crate::topology::Topology;

/// How long an instance takes to answer.
const ROUND_TRIP: Duration = Duration::from_micros(500);

/// A healthy cluster in virtual time: the production engine, and instances that answer it.
#[derive(Debug)]
pub struct Life {
    engine: Engine,
    writer: Address,
    asked: VecDeque<Question>,
    began: Instant,
    now: Instant,
    position: u64,
    out: Vec<Output>,
}

#[derive(Debug)]
struct Question {
    slot: Slot,
    asked_at: Instant,
    is_writer: bool,
    server: Arc<str>,
}

impl Life {
    /// A cluster of `instances` that have just been asked for the first time; the first of them is
    /// the writer. They are asked at the default interval.
    ///
    /// # Errors
    ///
    /// When the URL is not understood, which would be a bug.
    pub fn begin(instances: u16) -> Result<Self, Error> {
        let config = config(instances)?;
        let now = Instant::now();
        let writer = config.addresses()[0].clone();
        let engine = Engine::new(settings(&config), config.addresses(), 1, now);
        let (asked, out, position) = (VecDeque::new(), Vec::new(), 0x0300_0000);
        let mut life = Self { engine, writer, asked, began: now, now, position, out };
        life.handle(Input::Tick);
        Ok(life)
    }

    /// Time passes until the next answer, which the engine is told. As many of these as there are
    /// instances make about one `probe_interval`.
    pub fn answer(&mut self) {
        let question = loop {
            match self.asked.pop_front() {
                Some(question) => break question,
                None => {
                    let wake = self.engine.next_wake();
                    self.now = wake.unwrap_or(self.now + ROUND_TRIP).max(self.now);
                    self.handle(Input::Tick);
                }
            }
        };
        let Question { slot, asked_at, is_writer, server } = question;
        self.now = self.now.max(asked_at + ROUND_TRIP);
        if is_writer {
            self.position += 4096;
        }
        let report = Report {
            cluster: Some(Arc::from("7301234567890123456")),
            server: Some(server),
            accepts_writes: is_writer,
            incarnation: Some(1),
            position: Some(self.position),
            members: Members::Unlisted,
            ..Report::default()
        };
        self.handle(Input::Answered { slot, asked_at, report });
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.out);
        for output in self.out.drain(..) {
            if let Output::Probe { slot, address, .. } = output {
                let (is_writer, server) = (address == self.writer, Arc::from(address.host()));
                self.asked.push_back(Question { slot, asked_at: self.now, is_writer, server });
            }
        }
    }

    /// The snapshot published last.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        self.engine.topology()
    }

    /// How much virtual time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now - self.began
    }
}
