//! [`Cluster`]: what an application holds.

mod adapter;
mod causal;
mod connect;
mod deadline;
mod fresh;
mod identity;
mod instance;
mod login;
mod resolve;
mod roots;
#[cfg(any(test, feature = "benching"))]
mod still;
mod turn;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::Guard;

use self::adapter::EndOnDrop;
pub use self::deadline::Deadline;
use self::fresh::Wanting;
pub use self::instance::InstanceHandle;
use self::roots::RootsFile;
pub use self::turn::Turn;
use crate::background::Background;
use crate::config::Config;
use crate::credentials::Keyring;
use crate::driver::{Command, Shared};
use crate::error::Error;
use crate::event::Events;
use crate::names::Names;
use crate::own_line::OwnLine;
use crate::policy::Policy;
use crate::probe::Tls;
use crate::route::{Missing, route_staying};
use crate::session::Session;
use crate::sql::{Rules, StatementCache};
use crate::status::{Explanation, Status};
use crate::store::Store;
use crate::topology::{InstanceId, Topology};

/// A replicated SQL cluster: its topology, kept up to date in the background, and the way to an
/// instance for every statement.
///
/// Cheap to clone; all clones are the same cluster, with one monitoring connection per instance.
/// Monitoring ends with the last clone, or with [`Cluster::close`].
///
/// # Examples
///
/// ```no_run
/// use aurora_core::{Cluster, Config};
///
/// # fn main() -> Result<(), aurora_core::Error> {
/// let config = Config::from_url("postgres://app:secret@db1.example.com,db2.example.com/shop")?;
/// let cluster = Cluster::connect_blocking(config)?;
/// println!("{}", cluster.status());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    policy: Box<dyn Policy>,
    statements: StatementCache,
    rules: Rules,
    tls: Arc<Tls>,
    keyring: Arc<Keyring>,
    roots_file: RootsFile,
    names: Names,
    /// The dialect that the servers were found to speak.
    dialect: Arc<OnceLock<&'static str>>,
    #[cfg(feature = "mysql")]
    mysql: crate::mysql_client::Settings,
    /// Where those wait who ask what became of a transaction; nothing is ever kept in it.
    questions: Arc<Store<()>>,
    no_reader: OwnLine<AtomicU64>,
    wanting: Wanting,
    /// When markers were last pruned.
    pruned_at: Mutex<Option<Instant>>,
    // Ends after the driver was told to: field order is drop order.
    _background: Arc<Background>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.shared.commands.send(Command::Close);
        // The runtime may end before the driver reads that: whoever listens is told here.
        self.shared.close();
    }
}

impl Cluster {
    /// How connections to the cluster are encrypted.
    pub(crate) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    /// How connections of adapters to MySQL are made.
    #[cfg(feature = "mysql")]
    pub(crate) fn mysql(&self) -> &crate::mysql_client::Settings {
        &self.0.mysql
    }

    /// The configuration the cluster was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.shared.config
    }

    /// The present topology.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        self.0.shared.topology.load_full()
    }

    /// The present topology for a short look, without counting a reference.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Topology>> {
        self.0.shared.topology.load()
    }

    /// What there is to know about every instance, ready to be printed or serialised.
    #[must_use]
    pub fn status(&self) -> Status {
        let Wanting { not_fresh, waited, .. } = &self.0.wanting;
        let counts = [&*self.0.no_reader, not_fresh, waited, &self.0.shared.restarts];
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let problem = &self.0.shared.rds_problem;
        let problem = problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status::new(&self.snapshot(), counts, problem, Instant::now())
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.shared.events.subscribe()
    }

    /// The instance called `id`, for an operator to take out of use and bring back.
    pub fn instance(&self, id: impl Into<InstanceId>) -> InstanceHandle<'_> {
        InstanceHandle::new(self, id.into())
    }

    /// Waits until there is a writer that takes writes, for at most `timeout`; returns its name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`](crate::ErrorKind::NoWriter) when the time has passed,
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the cluster was closed.
    ///
    /// # Cancel safety
    ///
    /// Safe: waiting changes nothing.
    pub async fn wait_for_writer(&self, timeout: Duration) -> Result<InstanceId, Error> {
        let found = self.wait(self.moved(), Instant::now() + timeout, writer_id).await;
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Like [`Cluster::wait_for_writer`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::wait_for_writer`].
    pub fn wait_for_writer_blocking(&self, timeout: Duration) -> Result<InstanceId, Error> {
        let found = self.wait_blocking(self.moved(), Instant::now() + timeout, writer_id);
        found.ok_or_else(|| self.missing(Missing::Writer))
    }

    /// Where the SQL text would go now, in a session that has written nothing, and why.
    #[must_use]
    pub fn explain(&self, sql: &str) -> Explanation {
        self.explain_in(&Session::new(self.config().freshness()), sql)
    }

    /// Where the SQL text would go now in that session, and why: one that has just written may find
    /// no reader fresh enough.
    #[must_use]
    pub fn explain_in(&self, session: &Session, sql: &str) -> Explanation {
        let classification = self.classify(sql);
        let need = session.need(&classification, Some(sql), Instant::now);
        let topology = self.snapshot();
        let stays = session.reader();
        let fallback = self.config().reader_fallback();
        let routed = route_staying(&topology, need, fallback, &*self.0.policy, stays);
        let wait = self.config().freshness_wait();
        Explanation::new(classification, &topology, routed.ok(), wait)
    }

    /// Ends monitoring. Statements that wait for an instance fail with
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed); connections that are open stay open until
    /// they are returned.
    pub fn close(&self) {
        let _ = self.0.shared.commands.send(Command::Close);
    }

    /// Whether monitoring has ended: nothing is told of the instances any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.shared.closed.load(Ordering::Acquire)
    }
}

fn writer_id(topology: &Arc<Topology>) -> Option<InstanceId> {
    topology.writer().map(|writer| writer.id().clone())
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("config", self.config())
            .field("topology", &*self.snapshot())
            .finish_non_exhaustive()
    }
}
