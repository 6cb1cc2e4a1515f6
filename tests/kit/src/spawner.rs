//! One long-lived thread that starts all servers of a cluster.
//!
//! The kernel's parent-death signal fires when the *thread* that created the child ends, not the
//! process. A server started by a test's short-lived thread would die with that thread, hence
//! every server is started by this one, which lives as long as the cluster.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Order = (Command, SyncSender<io::Result<Child>>);

/// Handle on the thread; dropping it ends the thread and so every server that still runs.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: Mutex<Sender<Order>>,
}

impl Spawner {
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, inbox) = channel();
        thread::Builder::new().name("kit-spawner".into()).spawn(move || serve(&inbox))?;
        Ok(Self { orders: Mutex::new(orders) })
    }

    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = sync_channel(1);
        let gone = || io::Error::other("the thread that starts servers is gone");
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.send((command, reply)).map_err(|_| gone())?;
        drop(orders);
        answer.recv().map_err(|_| gone())?
    }
}

fn serve(inbox: &Receiver<Order>) {
    for (mut command, reply) in inbox {
        // The asker waits for this answer, so it cannot be gone.
        let _ = reply.send(command.spawn());
    }
}
