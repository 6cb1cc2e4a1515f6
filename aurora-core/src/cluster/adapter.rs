//! What adapters need beyond what applications do: routing, waiting, reporting.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use event_listener::{Event, Listener as _};

use super::Cluster;
use crate::engine::{Complaint, Input};
use crate::error::{Error, ErrorKind};
use crate::route::{Because, Missing, Need, route, route_staying};
use crate::sql::Classification;
use crate::startup;
use crate::store::Store;
use crate::topology::{Instance, InstanceId, Topology};

/// What adapters need beyond what applications do.
impl Cluster {
    /// A store of idle connections that the cluster empties of those that are out of use.
    #[must_use]
    pub fn new_store<C: Send + 'static>(&self) -> Arc<Store<C>> {
        self.0.shared.new_store()
    }

    /// The verdict on a statement's text, remembered.
    #[must_use]
    pub fn classify(&self, sql: &str) -> Classification {
        self.0.statements.classify(sql, &self.0.rules)
    }

    /// Remembers that a reader refused the statement: from now on it is a write.
    pub fn remember_write(&self, sql: &str) {
        self.0.statements.remember_write(sql);
    }

    /// Picks the instance of `topology` that serves `need`; `None` when there is none now.
    #[must_use]
    pub fn route<'a>(&self, topology: &'a Topology, need: Need) -> Option<&'a Instance> {
        self.route_staying(topology, need, None)
    }

    /// Like [`Cluster::route`]; a session stays with the reader it has, if that serves `need`.
    #[must_use]
    pub fn route_staying<'a>(
        &self,
        topology: &'a Topology,
        need: Need,
        reader: Option<&InstanceId>,
    ) -> Option<&'a Instance> {
        let fallback = self.config().reader_fallback();
        let routed = route_staying(topology, need, fallback, &*self.0.policy, reader);
        let (instance, because) = routed.ok()?;
        match because {
            Because::NoReader => {
                self.0.no_reader.fetch_add(1, Ordering::Relaxed);
            }
            Because::NotFresh => self.note_not_fresh(need),
            Because::IsReader | Because::IsWriter => {}
        }
        Some(instance)
    }

    /// Waits until an instance serves `need`, until `deadline`; returns the topology in which it
    /// does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`] or [`ErrorKind::NoReader`] at the deadline, [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_for(&self, need: Need, deadline: Instant) -> Result<Arc<Topology>, Error> {
        let serving = |topology: &Arc<Topology>| self.serving(topology, need);
        let found = self.wait(self.news_for(need), deadline, serving).await;
        found.ok_or_else(|| self.missing(Missing::of(need)))
    }

    /// Like [`Cluster::wait_for`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::wait_for`].
    pub fn wait_for_blocking(&self, need: Need, deadline: Instant) -> Result<Arc<Topology>, Error> {
        let serving = |topology: &Arc<Topology>| self.serving(topology, need);
        let found = self.wait_blocking(self.news_for(need), deadline, serving);
        found.ok_or_else(|| self.missing(Missing::of(need)))
    }

    fn serving(&self, topology: &Arc<Topology>, need: Need) -> Option<Arc<Topology>> {
        let fallback = self.config().reader_fallback();
        let routed = route(topology, need, fallback, &*self.0.policy);
        routed.is_ok().then(|| Arc::clone(topology))
    }

    /// Waits until the topology is another one than that of `generation`, until `deadline`; false
    /// when the time has passed.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_beyond(&self, generation: u64, deadline: Instant) -> bool {
        self.wait(self.moved(), deadline, |topology| beyond(topology, generation)).await.is_some()
    }

    /// Like [`Cluster::wait_beyond`], on the calling thread.
    #[must_use]
    pub fn wait_beyond_blocking(&self, generation: u64, deadline: Instant) -> bool {
        self.wait_blocking(self.moved(), deadline, |topology| beyond(topology, generation))
            .is_some()
    }

    /// Waits until `instance` has answered a probe that was asked after `since`, or is in another
    /// epoch, or `deadline` has passed.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_confirmed(
        &self,
        instance: &InstanceId,
        epoch: u64,
        since: Instant,
        deadline: Instant,
    ) {
        self.wait(self.changed(), deadline, |topology| confirmed(topology, instance, epoch, since))
            .await;
    }

    /// Like [`Cluster::wait_confirmed`], on the calling thread.
    pub fn wait_confirmed_blocking(
        &self,
        instance: &InstanceId,
        epoch: u64,
        since: Instant,
        deadline: Instant,
    ) {
        self.wait_blocking(self.changed(), deadline, |topology| {
            confirmed(topology, instance, epoch, since)
        });
    }

    /// Runs `work` until `deadline`; `None` when the time has passed first.
    ///
    /// The timer is the background runtime's: the caller's may have none.
    ///
    /// # Cancel safety
    ///
    /// That of `work`, which is dropped at the deadline.
    pub async fn until<T>(&self, deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
        let timer = async move { tokio::time::sleep_until(deadline.into()).await };
        let mut timer = EndOnDrop(self.0._background.handle().spawn(timer));
        tokio::select! {
            done = work => Some(done),
            _ = &mut timer.0 => None,
        }
    }

    /// Whether `instance`, as it was, can still be used: it is in the same epoch, and in use.
    #[must_use]
    pub fn is_usable(&self, instance: &Instance) -> bool {
        !self.is_closed() && !is_gone(&self.snapshot(), instance)
    }

    /// Does `work` with `instance` unless that is in another epoch or out of use before: `None`.
    /// Until `deadline`, which `work` keeps itself.
    ///
    /// # Cancel safety
    ///
    /// As safe as `work`.
    pub async fn while_usable<T>(
        &self,
        instance: &Instance,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let gone = async {
            let look = |topology: &Arc<Topology>| is_gone(topology, instance).then_some(());
            if self.wait(self.moved(), deadline, look).await.is_none() {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = gone => None,
        }
    }

    /// Waits for that long, on a timer of the background runtime.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn pause(&self, pause: Duration) {
        self.until(Instant::now() + pause, std::future::pending::<()>()).await;
    }

    /// Reports what went wrong on a connection to `instance` that was opened in `epoch`.
    pub fn complain(
        &self,
        instance: &InstanceId,
        epoch: u64,
        complaint: Complaint,
        message: impl Into<String>,
    ) {
        let message = message.into().into();
        let instance = instance.clone();
        self.0.shared.tell(Input::Complained { instance, epoch, complaint, message });
    }

    /// The error for a statement that found nothing to serve it.
    pub(super) fn missing(&self, missing: Missing) -> Error {
        if self.is_closed() {
            return Error::new(ErrorKind::Closed, "the cluster handle was closed");
        }
        startup::missing(&self.snapshot(), missing)
    }

    /// Rung with every snapshot.
    pub(super) fn changed(&self) -> &Event {
        &self.0.shared.changed
    }

    /// Rung with every new generation.
    pub(super) fn moved(&self) -> &Event {
        &self.0.shared.moved
    }

    /// Whoever serves `need` becomes able to by a new generation, or by being fresh enough.
    fn news_for(&self, need: Need) -> &Event {
        match need {
            Need::Read { fresh_as_of: Some(_) } => self.changed(),
            Need::Read { fresh_as_of: None } | Need::Write => self.moved(),
        }
    }

    pub(super) fn wait_blocking<R>(
        &self,
        news: &Event,
        deadline: Instant,
        mut look: impl FnMut(&Arc<Topology>) -> Option<R>,
    ) -> Option<R> {
        let shared = &self.0.shared;
        loop {
            // Listen first and look then, so that no change in between is slept through.
            let listener = news.listen();
            if let Some(found) = look(&shared.topology.load_full()) {
                return Some(found);
            }
            if shared.closed.load(Ordering::Acquire) || Instant::now() >= deadline {
                return None;
            }
            listener.wait_deadline(deadline);
        }
    }

    pub(super) async fn wait<R>(
        &self,
        news: &Event,
        deadline: Instant,
        mut look: impl FnMut(&Arc<Topology>) -> Option<R>,
    ) -> Option<R> {
        let shared = &self.0.shared;
        loop {
            let listener = news.listen();
            if let Some(found) = look(&shared.topology.load_full()) {
                return Some(found);
            }
            if shared.closed.load(Ordering::Acquire) {
                return None;
            }
            if self.until(deadline, listener).await.is_none() {
                return look(&shared.topology.load_full());
            }
        }
    }
}

/// A task that must not outlive the one who waits for it.
pub(super) struct EndOnDrop(pub(super) tokio::task::JoinHandle<()>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether `instance`, as it was, cannot be used any more.
pub(super) fn is_gone(topology: &Topology, instance: &Instance) -> bool {
    let known = topology.instance(instance.id());
    !known.is_some_and(|known| known.epoch() == instance.epoch() && known.is_usable())
}

fn beyond(topology: &Topology, generation: u64) -> Option<()> {
    (topology.generation() > generation).then_some(())
}

fn confirmed(topology: &Topology, instance: &InstanceId, epoch: u64, since: Instant) -> Option<()> {
    match topology.instance(instance) {
        Some(known) if known.epoch() == epoch && known.confirmed_at() < Some(since) => None,
        Some(_) | None => Some(()),
    }
}
