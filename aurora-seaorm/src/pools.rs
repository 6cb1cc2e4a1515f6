//! One pool of physical connections per instance and epoch.
//!
//! The connections are sqlx's; the pools are not. sqlx's own pool asks the server after every
//! statement whether the connection is well, without a deadline, and goes on connecting to an
//! address that refuses until its timeout. Here the idle connections are in the cluster's store,
//! which drops those of an instance that was lost or changed its role, and a connection in use is
//! told at once that its instance is lost.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aurora_core::{
    Cluster, Complaint, Deadline, Error, ErrorKind, Instance, InstanceId, Lease, Need, Permit,
    Store, Turn,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use crate::engine::Link;
use crate::held::Held;
use crate::open::{NotConnected, Opener};

/// A connection to one instance.
pub(crate) struct Physical {
    pub(crate) link: Link,
    /// Rings when the instance was declared lost.
    pub(crate) lost: Arc<Notify>,
}

/// The pools of one cluster.
pub(crate) struct Pools {
    cluster: Cluster,
    store: Arc<Store<Physical>>,
    opener: Opener,
    max_connections: usize,
    limits: Mutex<Vec<(InstanceId, Arc<Semaphore>)>>,
}

/// What a look at the topology found.
enum Found {
    Idle(Held),
    /// No idle connection, but room for a new one.
    Room(Box<Instance>, OwnedSemaphorePermit),
    Full(Box<Instance>, Arc<Semaphore>),
    Nobody,
}

impl Pools {
    pub(crate) fn new(cluster: Cluster, max_connections: usize, opener: Opener) -> Self {
        let store = cluster.new_store();
        Self { cluster, store, opener, max_connections, limits: Mutex::default() }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A connection to an instance that serves `need`, waiting for one until `deadline`.
    /// A session stays with the `reader` it has, if that serves `need`.
    pub(crate) async fn acquire(
        &self,
        need: Need,
        reader: Option<&InstanceId>,
        deadline: Deadline,
    ) -> Result<Held, Error> {
        self.cluster.wait_fresh(need, deadline).await;
        loop {
            let (instance, permit) = match self.look(need, reader, deadline) {
                Found::Idle(held) => return Ok(held),
                Found::Nobody => {
                    drop(self.cluster.wait_for(need, deadline.at()).await?);
                    continue;
                }
                Found::Full(instance, limit) => {
                    match self.queue(&instance, limit, deadline).await? {
                        Some(permit) => (instance, permit),
                        None => continue,
                    }
                }
                Found::Room(instance, permit) => (instance, permit),
            };
            if let Some(lease) = self.wait_or_connect(&instance, need, deadline).await? {
                return Ok(Held::new(lease, permit, Arc::clone(&self.store)));
            }
        }
    }

    fn look(&self, need: Need, reader: Option<&InstanceId>, deadline: Deadline) -> Found {
        let topology = self.cluster.snapshot();
        let Some(instance) = self.cluster.route_staying(&topology, need, reader) else {
            return Found::Nobody;
        };
        let found = self.look_at(instance, deadline);
        match (&found, self.cluster.elsewhere(&topology, need, instance)) {
            (Found::Full(..) | Found::Room(..), Some(other)) => self.look_at(other, deadline),
            (_, _) => found,
        }
    }

    fn look_at(&self, instance: &Instance, deadline: Deadline) -> Found {
        let limit = self.limit(instance.id());
        let Ok(permit) = Arc::clone(&limit).try_acquire_owned() else {
            return Found::Full(Box::new(instance.clone()), limit);
        };
        match self.store.take(instance, deadline) {
            Some(lease) => Found::Idle(Held::new(lease, permit, Arc::clone(&self.store))),
            None => Found::Room(Box::new(instance.clone()), permit),
        }
    }

    /// Waits for a place among the connections to the instance; `None` when it is out of use
    /// meanwhile.
    async fn queue(
        &self,
        instance: &Instance,
        limit: Arc<Semaphore>,
        deadline: Deadline,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let place = timeout_at(deadline.at().into(), limit.acquire_owned());
        let found = self.cluster.while_usable(instance, deadline.at(), place).await;
        let Some(permit) = found else { return Ok(None) };
        let Ok(permit) = permit else {
            let text = format!(
                "all {} connections are in use: raise max_connections, or hold them shorter",
                self.max_connections
            );
            return Err(Error::new(ErrorKind::Deadline, text).on(instance.id()));
        };
        permit.map(Some).map_err(|_| Error::new(ErrorKind::Closed, "the pool was closed"))
    }

    /// Takes a connection that is idle or given back, or opens one when it is time; `None` when
    /// the topology has to be looked at again.
    async fn wait_or_connect(
        &self,
        instance: &Instance,
        need: Need,
        deadline: Deadline,
    ) -> Result<Option<Lease<Physical>>, Error> {
        match self.cluster.turn(&self.store, instance, need, deadline).await? {
            Turn::Leased(lease) => Ok(Some(lease)),
            // Boxed, because it is long and rare: or the futures of statements, and of what awaits
            // them, were too deep for the compiler's limit.
            Turn::Open(permit) => Box::pin(self.connect(instance, permit, deadline)).await,
            _ => Ok(None),
        }
    }

    /// Opens a connection to `instance`; `None` when that fails for now.
    async fn connect(
        &self,
        instance: &Instance,
        permit: Permit,
        deadline: Deadline,
    ) -> Result<Option<Lease<Physical>>, Error> {
        let is_cut = deadline.cuts_connect(self.cluster.config());
        let until = Instant::now() + deadline.to_connect(self.cluster.config());
        let opening = timeout_at(until.into(), self.open(instance, until));
        // Who vanished does not answer, and another one may take the statement already.
        let Some(opened) = self.cluster.while_usable(instance, until, opening).await else {
            return Ok(None);
        };
        let failure = match opened {
            Ok(Ok(lease)) => {
                permit.opened();
                // What happened meanwhile may have made it one of an instance that is out of use.
                let topology = self.cluster.snapshot();
                return Ok(Some(lease).filter(|lease| lease.is_in_epoch(&topology)));
            }
            Ok(Err(failure)) => failure,
            // The statement ran out of time, which is no fault of the instance.
            Err(_) if is_cut => {
                let text = "no connection before the deadline";
                let plain = || Error::new(ErrorKind::Deadline, text).on(instance.id());
                return Err(self.cluster.had_no_slot(instance).unwrap_or_else(plain));
            }
            Err(_) => NotConnected::Unreachable("no connection in time".to_owned()),
        };
        let (kind, message) = match failure {
            NotConnected::Final(error) => return Err(error),
            NotConnected::NoLogin(message) => (ErrorKind::Credentials, message),
            NotConnected::Full(message) => (ErrorKind::TooManyConnections, message),
            NotConnected::Unreachable(message) => {
                self.complain(instance, Complaint::ConnectionLost, &message);
                (ErrorKind::ConnectionLost, message)
            }
            NotConnected::WrongRole => {
                let message = "its role is not the one it is known for".to_owned();
                self.complain(instance, Complaint::WrongRole, &message);
                (ErrorKind::ReadOnly, message)
            }
        };
        permit.failed(kind);
        if deadline.has_passed() {
            let kind = match kind {
                ErrorKind::Credentials | ErrorKind::TooManyConnections => kind,
                _ => ErrorKind::Deadline,
            };
            let text = format!("no connection before the deadline: {message}");
            return Err(Error::new(kind, text).on(instance.id()));
        }
        Ok(None)
    }

    fn complain(&self, instance: &Instance, complaint: Complaint, message: &str) {
        self.cluster.complain(instance.id(), instance.epoch(), complaint, message);
    }

    /// Opens a connection and proves the role of the instance.
    async fn open(
        &self,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Lease<Physical>, NotConnected> {
        let breaks = instance.stats().breaks();
        let (link, socket) = self.opener.open(&self.cluster, instance, deadline).await?;
        let lost = Arc::new(Notify::new());
        let ring = Arc::clone(&lost);
        let mut lease = Lease::new(Physical { link, lost }, instance, breaks, Instant::now());
        // A permit is kept for a statement that begins later.
        self.store.watch(&mut lease, move || ring.notify_one());
        if let Some(socket) = socket {
            lease.ended_when(move || socket.has_news());
        }
        Ok(lease)
    }

    fn limit(&self, id: &InstanceId) -> Arc<Semaphore> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, limit)) = limits.iter().find(|(known, _)| known == id) {
            return Arc::clone(limit);
        }
        let limit = Arc::new(Semaphore::new(self.max_connections));
        limits.push((id.clone(), Arc::clone(&limit)));
        limit
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools")
            .field("idle", &self.store)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
