//! The task that watches one instance over one connection.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::config::Address;
use crate::driver::Command;
use crate::engine::{Input, Report, Slot};
use crate::probe::{Failure, Prober, Session};

/// The engine wants an instance asked.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) address: Address,
    pub(crate) timeout: Duration,
    /// How long a try may be silent before another one is made beside it.
    pub(crate) hedge: Duration,
}

/// Watches the instance of `slot` until nobody gives orders any more.
///
/// Between two orders it watches the open connection: that it breaks is news at once, not at the
/// next probe.
pub(crate) async fn monitor(
    slot: Slot,
    prober: Prober,
    mut orders: mpsc::UnboundedReceiver<Order>,
    facts: mpsc::UnboundedSender<Command>,
) {
    let mut open: Option<(Address, Session)> = None;
    let mut moves = JoinSet::new();
    loop {
        let input = tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                follow(&prober, &open, &mut moves);
                let (input, is_new) = ask(slot, &prober, &mut open, order).await;
                if is_new && facts.send(Command::Fact(Input::SessionBegan { slot })).is_err() {
                    return;
                }
                input
            }
            Some(moved) = moves.join_next() => {
                if !take_over(&mut open, moved) {
                    continue;
                }
                Input::SessionBegan { slot }
            }
            failure = broken(&mut open) => {
                open = None;
                Input::Disconnected { slot, message: failure.into_probe_failure().message }
            }
        };
        if facts.send(Command::Fact(input)).is_err() {
            return;
        }
    }
}

/// What became of connecting anew.
type Moved = (Address, Result<Session, Failure>);

/// Begins to connect anew where the open connection may lead astray: the instance may have been
/// replaced, and its ghost still answer. The ghost is watched until the other answers.
fn follow(prober: &Prober, open: &Option<(Address, Session)>, moves: &mut JoinSet<Moved>) {
    let Some((address, session)) = open else { return };
    if !moves.is_empty() || !prober.names().look_again(address, session.ip()) {
        return;
    }
    let (prober, address) = (prober.clone(), address.clone());
    moves.spawn(async move {
        let opened = prober.open_and_ask(&address).await;
        (address, opened)
    });
}

/// Puts the new connection in the place of the open one, for the next order to ask, if it leads to
/// another server process: an answer from that one makes a new epoch. Returns whether it did.
fn take_over(open: &mut Option<(Address, Session)>, moved: Result<Moved, JoinError>) -> bool {
    match moved {
        Ok((address, Ok(session))) => {
            // One that broke has to be told of first.
            let replaces = open.as_mut().is_some_and(|(at, before)| {
                *at == address && !before.is_broken() && !before.is_same_server(&session)
            });
            if replaces {
                tracing::info!(target: "aurora", %address, ip = %session.ip(), "it has moved");
                *open = Some((address, session));
            }
            replaces
        }
        Ok((address, Err(failure))) => {
            tracing::debug!(target: "aurora", %address, ?failure, "cannot connect anew");
            false
        }
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}

/// Ends when the open connection does; without one, never.
async fn broken(open: &mut Option<(Address, Session)>) -> Failure {
    match open {
        Some((_, session)) => session.closed().await,
        None => std::future::pending().await,
    }
}

/// Asks the instance; where it is silent, on other connections as well.
///
/// One answer that is lost, one connection that stalls, or one backend that hangs says nothing
/// about the instance: only the silence of all tries does, for the whole time allowed.
///
/// Also says whether the open connection is another one than before.
async fn ask(
    slot: Slot,
    prober: &Prober,
    open: &mut Option<(Address, Session)>,
    order: Order,
) -> (Input, bool) {
    let usable = open.take().filter(|(address, _)| *address == order.address);
    let budget = match &usable {
        Some(_) => order.timeout,
        None => prober.connect_timeout() + order.timeout,
    };
    let asked_at = Instant::now();
    let mut patience = Patience::new(asked_at, budget);
    // Nearly always the only one: no task is spawned for it.
    let session = usable.map(|(_, session)| session);
    let mut first = pin!(attempt(prober.clone(), order.address.clone(), session));
    let mut is_first_over = false;
    let mut others = JoinSet::new();
    loop {
        let ended = tokio::select! {
            biased;
            ended = &mut first, if !is_first_over => {
                is_first_over = true;
                ended
            }
            Some(ended) = others.join_next() => match ended {
                Ok(ended) => ended,
                Err(died) => std::panic::resume_unwind(died.into_panic()),
            },
            gives_up = patience.wait(order.hedge) => {
                if gives_up {
                    let failure = Failure::silent(&order.address, budget).into_probe_failure();
                    return (Input::Unreachable { slot, asked_at, failure }, false);
                }
                others.spawn(attempt(prober.clone(), order.address.clone(), None));
                continue;
            }
        };
        match ended {
            Attempt { session, is_new, asked_at, result: Ok(report) } => {
                *open = session.map(|session| (order.address, session));
                return (Input::Answered { slot, asked_at, report }, is_new);
            }
            Attempt { is_new, result: Err(failure), .. } => {
                let is_last = is_first_over && others.is_empty();
                if is_last || failure.settles(is_new) {
                    let failure = failure.into_probe_failure();
                    return (Input::Unreachable { slot, asked_at, failure }, false);
                }
            }
        }
    }
}

/// What became of one try.
struct Attempt {
    session: Option<Session>,
    /// Whether the session was begun for this try.
    is_new: bool,
    asked_at: Instant,
    result: Result<Report, Failure>,
}

/// Asks once, over `session` or a new one. Whoever waits bounds it.
async fn attempt(prober: Prober, address: Address, session: Option<Session>) -> Attempt {
    let is_new = session.is_none();
    let mut session = match session {
        Some(session) => session,
        None => {
            let asked_at = Instant::now();
            match prober.open(&address).await {
                Ok(session) => {
                    tracing::debug!(target: "aurora", %address, dialect = session.dialect(), "monitoring");
                    session
                }
                Err(failure) => {
                    return Attempt { session: None, is_new, asked_at, result: Err(failure) };
                }
            }
        }
    };
    let asked_at = Instant::now();
    let result = session.ask().await;
    Attempt { session: result.is_ok().then_some(session), is_new, asked_at, result }
}

/// A deadline that does not count the time in which this program itself stood still: a machine
/// that sleeps, or has no processor to spare, must not look like an instance that is silent.
struct Patience {
    deadline: Instant,
}

/// A timer that is later than this tells of our own standstill.
const STALL: Duration = Duration::from_millis(50);

impl Patience {
    fn new(now: Instant, budget: Duration) -> Self {
        Self { deadline: now + budget }
    }

    /// Waits for `slice`, or until the deadline: then it is true.
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, nothing is lost.
    async fn wait(&mut self, slice: Duration) -> bool {
        let until = (Instant::now() + slice).min(self.deadline);
        tokio::time::sleep_until(until.into()).await;
        let late = Instant::now().saturating_duration_since(until);
        if late > STALL {
            self.deadline += late;
        }
        Instant::now() >= self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standstill_of_our_own_does_not_count() {
        let slice = Duration::from_millis(10);
        let mut patience = Patience::new(Instant::now(), Duration::from_millis(40));
        let standstill = async { std::thread::sleep(Duration::from_millis(200)) };
        let (given_up, ()) = tokio::join!(patience.wait(slice), standstill);
        assert!(!given_up, "most of the 40 ms are left");
        while !patience.wait(slice).await {}
    }
}
