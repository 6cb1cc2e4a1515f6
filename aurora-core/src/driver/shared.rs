//! What the driver and the handles of one cluster share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::Command;
use crate::config::Config;
use crate::engine::Input;
use crate::event::{Event, EventHub};
use crate::store::{Retire, Store};
use crate::topology::Topology;

/// What the driver and the handles of one cluster share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) topology: ArcSwap<Topology>,
    /// Rung with every snapshot.
    pub(crate) changed: event_listener::Event,
    /// Rung when the generation has risen: a crowd that waits for a writer is not to be woken by
    /// every answer of a monitor.
    pub(crate) moved: event_listener::Event,
    pub(crate) events: Arc<EventHub>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) stores: Mutex<Vec<Weak<dyn Retire>>>,
    pub(crate) closed: AtomicBool,
    /// Tasks of ours that died and were started again.
    pub(crate) restarts: AtomicU64,
    /// What is wrong with the API of RDS, if it is asked.
    pub(crate) rds_problem: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        topology: Arc<Topology>,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        Self {
            config,
            topology: ArcSwap::new(topology),
            changed: event_listener::Event::new(),
            moved: event_listener::Event::new(),
            events: Arc::default(),
            commands,
            stores: Mutex::default(),
            closed: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
            rds_problem: Mutex::default(),
        }
    }

    /// A store that is told of every new topology.
    pub(crate) fn new_store<C: Send + 'static>(&self) -> Arc<Store<C>> {
        let store = Arc::new(Store::new(&self.config));
        let weak: Weak<Store<C>> = Arc::downgrade(&store);
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).push(weak);
        store
    }

    /// Lets everybody see the snapshot, and wakes those who wait for one.
    pub(crate) fn publish(&self, topology: Arc<Topology>) {
        let generation = topology.generation();
        let before = self.topology.swap(topology);
        self.changed.notify(usize::MAX);
        if before.generation() != generation {
            self.moved.notify(usize::MAX);
        }
    }

    pub(super) fn announce(&self, event: Event) {
        tracing::info!(target: "aurora", %event);
        if matches!(event, Event::MonitorRestarted { .. }) {
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        self.events.announce(event);
    }

    /// Tells the engine a fact; after the cluster is closed nobody listens.
    pub(crate) fn tell(&self, input: Input) {
        let _ = self.commands.send(Command::Fact(input));
    }

    /// Wakes everybody who waits, for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify(usize::MAX);
        self.moved.notify(usize::MAX);
        self.call_all();
        self.events.close();
    }

    pub(super) fn tidy(&self, topology: &Topology, now: Instant) {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.retain(|store| store.strong_count() > 0);
        let live: Vec<Arc<dyn Retire>> = stores.iter().filter_map(Weak::upgrade).collect();
        drop(stores);
        // Those who wait first: closing what is out of use may take its time.
        for store in &live {
            store.call_all();
        }
        for store in live {
            store.retire(topology, now);
        }
    }

    fn call_all(&self) {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<Arc<dyn Retire>> = stores.iter().filter_map(Weak::upgrade).collect();
        drop(stores);
        live.iter().for_each(|store| store.call_all());
    }
}
