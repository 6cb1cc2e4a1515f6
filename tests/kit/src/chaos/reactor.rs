//! The thread that moves the bytes of all proxies of a cluster.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

/// A runtime on a thread of its own; it ends, with every connection, when this is dropped.
///
/// One thread for all proxies: two threads for each connection would be thousands in a test of
/// connection storms. The verbs of a proxy run on their callers' threads, in or outside of async.
#[derive(Debug)]
pub(crate) struct Reactor {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reactor {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("kit-chaos".into()).spawn(move || {
            // An error is the other end being dropped, which is what ends us.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only moves bytes and never blocks, so this takes no time; a panic of it was
            // printed.
            let _ = thread.join();
        }
    }
}
