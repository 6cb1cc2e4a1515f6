//! Turns the crank: carries facts to the engine and carries out what it says.
//!
//! One task owns the engine; one task per instance owns the monitoring connection. A task that
//! dies is announced and replaced, so that monitoring never ends silently.

mod shared;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};

pub(crate) use self::shared::Shared;
use crate::config::Config;
use crate::engine::{Engine, Input, Output, Settings, Slot};
use crate::event::Event;
use crate::monitor::{Order, monitor};
use crate::probe::Prober;
use crate::topology::InstanceId;

/// How often idle connections are looked through for old ones.
const TIDY_INTERVAL: Duration = Duration::from_secs(5);

/// How long nothing is asked after a bug of the engine's, which may come again and again.
pub(crate) const REST: Duration = Duration::from_millis(100);

/// How long monitors may take to end: they do at their next `await`.
const ENDING: Duration = Duration::from_secs(1);

/// What the driver is told.
#[derive(Debug)]
pub(crate) enum Command {
    Close,
    Fact(Input),
    /// The driver itself runs into a bug.
    #[cfg(test)]
    Panic,
}

/// The engine's settings, out of the configuration.
pub(crate) fn settings(config: &Config) -> Settings {
    Settings {
        probe_interval: config.probe_interval(),
        failover_interval: config.failover_interval(),
        connect_timeout: config.connect_timeout(),
        silence: config.probe_timeout(),
        slow_start: config.slow_start(),
        instance_host_pattern: config.instance_host_pattern().cloned(),
        default_port: {
            let default = config.family().default_port();
            config.addresses().first().map_or(default, crate::config::Address::port)
        },
    }
}

/// A new engine for `config`.
pub(crate) fn engine(config: &Config, now: Instant) -> Engine {
    Engine::new(settings(config), config.addresses(), fastrand::u64(..), now)
}

/// Drives a cluster until it is closed.
pub(crate) async fn drive(
    shared: Arc<Shared>,
    prober: Prober,
    mut engine: Engine,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    loop {
        let mut driver = Driver::new(&shared, &prober);
        let run = AssertUnwindSafe(driver.run(&mut engine, &mut commands));
        match catch_unwind(run).await {
            Ok(()) => break,
            Err(reason) => {
                let instance = InstanceId::from("cluster");
                shared.announce(Event::MonitorRestarted { instance, reason });
                driver.end_monitors().await;
                engine = engine.successor(fastrand::u64(..), Instant::now());
                // Facts for the engine that was: the new one numbers its instances anew. What an
                // operator wants and an API tells is told by name, and holds.
                let mut wanted = Vec::new();
                while let Ok(command) = commands.try_recv() {
                    match command {
                        Command::Close => return shared.close(),
                        Command::Fact(input @ (Input::Described(_) | Input::SetOnline { .. })) => {
                            wanted.push(input)
                        }
                        Command::Fact(_) => {}
                        #[cfg(test)]
                        Command::Panic => {}
                    }
                }
                wanted.into_iter().for_each(|input| shared.tell(input));
                tokio::time::sleep(REST).await;
            }
        }
    }
    shared.close();
}

/// Polls a future, turning a panic into its message.
async fn catch_unwind<F: Future>(work: AssertUnwindSafe<F>) -> Result<F::Output, String> {
    let mut work = std::pin::pin!(work.0);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(crate::panic::message(&*panic))),
        }
    })
    .await
}

struct Driver<'a> {
    shared: &'a Arc<Shared>,
    prober: &'a Prober,
    monitors: HashMap<Slot, (mpsc::UnboundedSender<Order>, AbortHandle)>,
    tasks: JoinSet<()>,
    outputs: Vec<Output>,
    tidied_at: Instant,
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Arc<Shared>, prober: &'a Prober) -> Self {
        Self {
            shared,
            prober,
            monitors: HashMap::new(),
            tasks: JoinSet::new(),
            outputs: Vec::new(),
            tidied_at: Instant::now(),
        }
    }

    async fn run(&mut self, engine: &mut Engine, commands: &mut mpsc::UnboundedReceiver<Command>) {
        self.feed(engine, Input::Tick, false);
        loop {
            let wake = engine.next_wake().unwrap_or_else(|| Instant::now() + TIDY_INTERVAL);
            let wake = wake.min(self.tidied_at + TIDY_INTERVAL);
            let input = tokio::select! {
                // No timer is set where there is something to do.
                biased;
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    match self.bury(ended) {
                        Some(input) => input,
                        None => continue,
                    }
                }
                command = commands.recv() => match command {
                    Some(Command::Fact(input)) => input,
                    Some(Command::Close) | None => return,
                    #[cfg(test)]
                    Some(Command::Panic) => panic!("a bug of the driver"),
                },
                () = tokio::time::sleep_until(wake.into()) => Input::Tick,
            };
            if matches!(input, Input::Answered { .. }) && commands.is_empty() {
                // Answers come in bunches: monitors that have read theirs tell them before.
                tokio::task::yield_now().await;
            }
            self.feed(engine, input, !commands.is_empty());
        }
    }

    /// Tells the engine `input`; what it says of freshness alone is shown with the next one if
    /// there is another already.
    fn feed(&mut self, engine: &mut Engine, input: Input, has_more: bool) {
        let now = Instant::now();
        let before = engine.topology().generation();
        if has_more {
            engine.handle_one_of_many(now, input, &mut self.outputs);
        } else {
            engine.handle(now, input, &mut self.outputs);
        }
        if !has_more && engine.is_behind() && self.shared.changed.total_listeners() > 0 {
            engine.catch_up(now, &mut self.outputs);
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            self.carry_out(output);
        }
        // Its room is for the next ones.
        self.outputs = outputs;
        let topology = engine.topology();
        if topology.generation() != before || now >= self.tidied_at + TIDY_INTERVAL {
            self.tidied_at = now;
            let shared = Arc::clone(self.shared);
            // Closing a connection may touch the network: not on the thread that drives.
            tokio::task::spawn_blocking(move || shared.tidy(&topology, now));
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Announce(event) => self.shared.announce(event),
            Output::Probe { slot, address, timeout, hedge } => {
                let order = Order { address, timeout, hedge };
                // A monitor that has just died is buried by `run`, and asked again then.
                let _ = self.monitor(slot).send(order);
            }
            Output::Publish(topology) => {
                self.prober.names().note(&topology);
                self.shared.publish(topology);
            }
            Output::Retire { slot } => {
                if let Some((_, task)) = self.monitors.remove(&slot) {
                    task.abort();
                }
            }
        }
    }

    fn monitor(&mut self, slot: Slot) -> &mpsc::UnboundedSender<Order> {
        let (prober, commands) = (self.prober, &self.shared.commands);
        let tasks = &mut self.tasks;
        let (orders, _) = self.monitors.entry(slot).or_insert_with(|| {
            let (orders, receiver) = mpsc::unbounded_channel();
            let task = tasks.spawn(monitor(slot, prober.clone(), receiver, commands.clone()));
            (orders, task)
        });
        orders
    }

    /// Ends all monitors: what one of them told the next engine would pass there for news of
    /// whatever instance has the same number.
    async fn end_monitors(&mut self) {
        self.monitors.clear();
        // One that does not end has a bug too, which must not keep all others from being watched.
        let _ = tokio::time::timeout(ENDING, self.tasks.shutdown()).await;
    }

    /// Notes the end of a monitor's task; a death is a fact for the engine.
    fn bury(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) -> Option<Input> {
        let (id, reason) = match ended {
            Ok((id, ())) => (id, "ended".to_owned()),
            Err(error) if error.is_cancelled() => return None,
            Err(error) => {
                let id = error.id();
                (id, crate::panic::message(&*error.into_panic()))
            }
        };
        let slot =
            self.monitors.iter().find(|(_, (_, task))| task.id() == id).map(|(slot, _)| *slot)?;
        self.monitors.remove(&slot);
        Some(Input::MonitorDied { slot, reason })
    }
}

#[cfg(test)]
mod tests;
