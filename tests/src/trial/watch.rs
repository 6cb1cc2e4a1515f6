//! When the library told what.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aurora_core::{Cluster, Event, Health, InstanceId};
use tokio::task::JoinHandle;

type Told = Mutex<Vec<(Instant, Event)>>;

/// Listens to the events of a cluster, and notes when they were told.
#[derive(Debug)]
pub(super) struct Watch {
    told: Arc<Told>,
    listener: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Watch {
    pub(super) fn start(cluster: &Cluster) -> Self {
        let (told, mut events) = (Arc::<Told>::default(), cluster.events());
        let log = Arc::clone(&told);
        let listener = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                guarded(&log).push((Instant::now(), event));
            }
        });
        Self { told, listener }
    }

    /// Everything so far.
    pub(super) fn told(&self) -> Vec<Event> {
        guarded(&self.told).iter().map(|(_, event)| event.clone()).collect()
    }

    /// When it was first told that something is wrong with this instance, after that moment.
    pub(super) fn noticed(&self, id: &InstanceId, after: Instant) -> Option<Instant> {
        let told = guarded(&self.told);
        let wrong = |event: &Event| match event {
            Event::HealthChanged { instance, to, .. } => instance == id && *to != Health::Online,
            Event::RoleChanged { instance, .. } | Event::InstanceRemoved { instance } => {
                instance == id
            }
            Event::WriterChanged { from, .. } => from.as_ref() == Some(id),
            _ => false,
        };
        told.iter().find(|(moment, event)| *moment >= after && wrong(event)).map(|found| found.0)
    }

    /// When another writer was told of for the last time, after that moment.
    pub(super) fn writer_known(&self, after: Instant) -> Option<Instant> {
        let told = guarded(&self.told);
        let writers = told.iter().filter(|(moment, event)| {
            *moment >= after && matches!(event, Event::WriterChanged { to: Some(_), .. })
        });
        writers.map(|(moment, _)| *moment).next_back()
    }

    /// The writers there were beside this one.
    pub(super) fn other_writers(&self, id: &InstanceId) -> Vec<InstanceId> {
        let writers = self.told().into_iter().filter_map(|event| match event {
            Event::WriterChanged { to, .. } => to,
            _ => None,
        });
        writers.filter(|writer| writer != id).collect()
    }
}

fn guarded<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
