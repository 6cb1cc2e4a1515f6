//! Ending connections that are in somebody's hands when their instance is lost.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::topology::{Health, InstanceId, Topology};

/// The connections that can be ended from outside.
#[derive(Default)]
pub(super) struct WatchList(Mutex<Vec<Watched>>);

/// A connection that can be ended from outside.
struct Watched {
    instance: InstanceId,
    epoch: u64,
    abort: Weak<Abort>,
}

/// Ends a connection under whoever waits for it; called at most once, from another thread.
pub(super) type Abort = dyn Fn() + Send + Sync;

impl WatchList {
    /// Has `abort` called when the instance is lost, as long as somebody keeps it.
    pub(super) fn add(&self, instance: InstanceId, epoch: u64, abort: &Arc<Abort>) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|watched| watched.abort.strong_count() > 0);
        watched.push(Watched { instance, epoch, abort: Arc::downgrade(abort) });
    }

    /// Ends the connections in use whose instance is lost, or not ours any more. One that only
    /// changed its role, or restarts, ends its sessions itself.
    pub(super) fn abort_lost(&self, topology: &Topology) {
        let is_lost = |watched: &Watched| match topology.instance(&watched.instance) {
            Some(instance) => {
                instance.epoch != watched.epoch
                    && matches!(instance.health, Health::Lost | Health::Foreign)
            }
            None => true,
        };
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (lost, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *watched).into_iter().partition(is_lost);
        *watched = kept;
        drop(watched);
        for abort in lost.iter().filter_map(|watched| watched.abort.upgrade()) {
            abort();
        }
    }
}
