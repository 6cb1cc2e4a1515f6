//! The task that watches one instance over one connection.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::config::Address;
use crate::driver::Command;
use crate::engine::{Input, Slot};
use crate::probe::{Failure, Prober, Session};

/// The engine wants an instance asked.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) address: Address,
    pub(crate) timeout: Duration,
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
    loop {
        let input = tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                ask(slot, &prober, &mut open, order).await
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

/// Ends when the open connection does; without one, never.
async fn broken(open: &mut Option<(Address, Session)>) -> Failure {
    match open {
        Some((_, session)) => session.closed().await,
        None => std::future::pending().await,
    }
}

async fn ask(
    slot: Slot,
    prober: &Prober,
    open: &mut Option<(Address, Session)>,
    order: Order,
) -> Input {
    let usable = open.take().filter(|(address, _)| *address == order.address);
    let (address, session) = match usable {
        Some(usable) => usable,
        None => {
            let asked_at = Instant::now();
            match prober.open(&order.address).await {
                Ok(session) => {
                    tracing::debug!(target: "aurora", address = %order.address, dialect = session.dialect(), "monitoring");
                    (order.address, session)
                }
                Err(failure) => {
                    let failure = failure.into_probe_failure();
                    return Input::Unreachable { slot, asked_at, failure };
                }
            }
        }
    };
    let (asked_at, answer) = session.ask(&address, order.timeout).await;
    match answer {
        Ok(report) => {
            *open = Some((address, session));
            Input::Answered { slot, asked_at, report }
        }
        Err(failure) => {
            let failure = failure.into_probe_failure();
            Input::Unreachable { slot, asked_at, failure }
        }
    }
}
