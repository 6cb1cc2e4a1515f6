//! The one runtime behind all clusters of a process.
//!
//! Monitoring must not depend on the application's executor: that one may be blocked, or may not
//! exist at all (synchronous users), or end with every test.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorKind};

/// The only global of this crate: where a second cluster finds the first one's runtime. It is
/// weak, so that the runtime ends with the last cluster.
static SHARED: Mutex<Weak<Background>> = Mutex::new(Weak::new());

/// A runtime that lives as long as a cluster needs it.
#[derive(Debug)]
pub(crate) struct Background {
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// The process's background runtime, started if there is none.
    pub(crate) fn shared() -> Result<Arc<Self>, Error> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("aurora-monitor")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(
                    ErrorKind::Closed,
                    "cannot start the monitoring thread; check the process's thread limit",
                )
                .caused_by(error)
            })?;
        let handle = runtime.handle().clone();
        let background = Arc::new(Self { runtime: Some(runtime), handle });
        *shared = Arc::downgrade(&background);
        Ok(background)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for the runtime would block, and panic on an async worker thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
