//! Lets a pool of sqlx's follow the writer, or the readers.
//!
//! sqlx's pools connect to one place. A task moves that place with the topology, and hooks see to
//! it that no connection to a former place is handed out, and none to an instance of another role.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aurora_core::{
    Cluster, Error, ErrorKind, Events, Family, Instance, InstanceId, Need, Role, Topology,
};
use sea_orm::DatabaseConnection;
use sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sqlx::{Connection as _, Pool};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::engine::{Engine, OptionsOf, OwnWord};
use crate::errors;
use crate::open;
use crate::session::TaskSessions;
use crate::sockets::Sockets;

/// How long a connection may have been idle and still be used without asking the server.
const TRUSTED: Duration = Duration::from_secs(1);

/// How long to wait for another topology at once; then it goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a refused password may go unnoticed.
const LOGIN_CHECK: Duration = Duration::from_secs(5);

/// What a pool has to follow.
pub(crate) struct Target<E: Engine> {
    cluster: Cluster,
    role: Role,
    base: OnceLock<OptionsOf<E>>,
    places: Mutex<Places>,
    /// Rings when a connection was opened: the next one goes to another reader.
    opened: Notify,
    sockets: Sockets,
    /// Who must see what is written through the pool.
    tasks: Option<Arc<TaskSessions>>,
}

/// The instances that serve the pool, and since when.
struct Places {
    serving: Vec<(InstanceId, u64)>,
    since: Instant,
}

impl<E: Engine> Target<E> {
    pub(crate) fn new(cluster: Cluster, role: Role, tasks: Option<Arc<TaskSessions>>) -> Self {
        let places = Places { serving: serving(&cluster, role), since: Instant::now() };
        let (base, places) = (OnceLock::new(), Mutex::new(places));
        let sockets = Sockets::default();
        Self { cluster, role, base, places, opened: Notify::new(), sockets, tasks }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What the role of the pool asks of an instance.
    pub(crate) fn need(&self) -> Need {
        match self.role {
            Role::Reader => Need::Read { fresh_as_of: None },
            Role::Unknown | Role::Writer => Need::Write,
        }
    }

    /// Where to connect first; `given` is what the user has told SeaORM.
    pub(crate) fn begin(&self, given: Option<OptionsOf<E>>) -> OptionsOf<E> {
        let base = self.base.get_or_init(|| E::base(given, self.cluster.config()));
        self.aim().unwrap_or_else(|| self.with_any_login(base.clone()))
    }

    /// Where to connect next.
    fn aim(&self) -> Option<OptionsOf<E>> {
        let topology = self.cluster.snapshot();
        let instance = self.cluster.route(&topology, self.need())?;
        let options = E::at(self.base.get()?.clone(), self.cluster.config(), instance);
        Some(E::with_login(options, &self.cluster.login_now(instance)?))
    }

    /// Without an instance to connect to, the fixed login, if there is one.
    fn with_any_login(&self, base: OptionsOf<E>) -> OptionsOf<E> {
        let topology = self.cluster.snapshot();
        let login = topology.instances().first().and_then(|any| self.cluster.login_now(any));
        login.map_or(base.clone(), |login| E::with_login(base, &login))
    }

    /// Puts the hooks into the options of a pool.
    pub(crate) fn hook(self: &Arc<Self>, pool: PoolOptions<E>) -> PoolOptions<E> {
        let (before, after, released) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        // Our own question has a deadline, and is asked only where there is doubt.
        let pool = pool.test_before_acquire(false);
        let pool = pool.before_acquire(move |connection, known| {
            let target = Arc::clone(&before);
            Box::pin(async move { Ok(target.may_use(connection, &known).await) })
        });
        let pool = pool.after_connect(move |connection, _| {
            let target = Arc::clone(&after);
            Box::pin(async move { target.prove(connection).await })
        });
        pool.after_release(move |_, _| {
            if let Some(tasks) = &released.tasks {
                tasks.note_for_all(Instant::now());
            }
            Box::pin(async { Ok(true) })
        })
    }

    /// Since when the instances are the ones that serve the pool now; `None` if there is none.
    fn serving_since(&self) -> Option<Instant> {
        let now = serving(&self.cluster, self.role);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.serving != now {
            *places = Places { serving: now, since: Instant::now() };
        }
        (!places.serving.is_empty()).then_some(places.since)
    }

    /// Whether an idle connection leads where the pool belongs.
    async fn may_use(
        &self,
        connection: &mut E::Connection,
        known: &PoolConnectionMetadata,
    ) -> bool {
        let Some(since) = self.serving_since() else { return false };
        if Instant::now().checked_sub(known.age).is_none_or(|opened| opened <= since) {
            return false;
        }
        if known.idle_for < TRUSTED {
            return true;
        }
        let limit = self.cluster.config().probe_timeout();
        matches!(timeout(limit, connection.ping()).await, Ok(Ok(())))
    }

    /// Refuses a new connection that does not lead where the pool belongs: sqlx tries again.
    async fn prove(&self, connection: &mut E::Connection) -> Result<(), sqlx::Error> {
        let limit = self.cluster.config().probe_timeout();
        let Ok(answer) = timeout(limit, E::ask(connection, &self.cluster)).await else {
            return Err(refused("the instance does not answer"));
        };
        let word = answer?;
        self.serving_since().ok_or_else(|| refused("no instance serves this pool now"))?;
        self.opened.notify_one();
        let topology = self.cluster.snapshot();
        if word.cluster.is_some()
            && topology.cluster().is_some()
            && word.cluster.as_deref() != topology.cluster()
        {
            return Err(refused("the connection leads to another cluster"));
        }
        let wanted = places(&topology, self.role, self.cluster.config().reader_fallback());
        // Behind a translation of addresses none is known, and the role has to do.
        let known = topology.instances().iter().find(|instance| E::leads_to(&word, instance));
        let fits = known.is_none_or(|known| wanted.iter().any(|place| place.id() == known.id()));
        if !fits || !self.has_role(&word, known, &topology) {
            return Err(refused("the connection does not lead to an instance of the wanted role"));
        }
        for place in known.map_or(wanted, |known| vec![known]) {
            open::bound(place, word.local_port, self.cluster.config());
        }
        if let (Some(known), Some(port)) = (known, word.local_port) {
            self.sockets.opened(known, port);
        }
        Ok(())
    }

    /// Whether what the server says of itself is what the pool wants.
    fn has_role(&self, word: &OwnWord, known: Option<&Instance>, topology: &Topology) -> bool {
        match (self.role, known) {
            (Role::Reader, _) if topology.readers().is_empty() => true,
            (Role::Reader, Some(_)) => E::has_role(word, Role::Reader),
            (Role::Reader, None) => !word.takes_writes,
            (Role::Unknown | Role::Writer, _) => word.takes_writes,
        }
    }
}

fn refused(text: &str) -> sqlx::Error {
    errors::from_core(Error::new(ErrorKind::ConnectionLost, text))
}

fn serving(cluster: &Cluster, role: Role) -> Vec<(InstanceId, u64)> {
    let topology = cluster.snapshot();
    let serving = places(&topology, role, cluster.config().reader_fallback());
    let mut serving: Vec<_> =
        serving.iter().map(|instance| (instance.id().clone(), instance.epoch())).collect();
    // The order changes with freshness, which is no reason to connect anew.
    serving.sort();
    serving
}

/// The instances a pool of that role may lead to.
fn places(topology: &Topology, role: Role, reader_fallback: bool) -> Vec<&Instance> {
    match role {
        Role::Reader if !topology.readers().is_empty() => topology.readers().iter().collect(),
        Role::Reader if !reader_fallback => Vec::new(),
        Role::Reader | Role::Unknown | Role::Writer => topology.writer().into_iter().collect(),
    }
}

/// Moves the place to which the pool connects, until the pool or the cluster is closed.
pub(crate) async fn follow<E: Engine>(target: Arc<Target<E>>, pool: Pool<E>, mut events: Events) {
    let mut closed = pool.close_event();
    loop {
        let topology = target.cluster.snapshot();
        let generation = topology.generation();
        target.sockets.shut_down_lost(&topology);
        let login_changed = target.cluster.login_changed();
        if let Some(options) = target.aim() {
            pool.set_connect_options(options);
        }
        tokio::select! {
            // Events are told before the topology they come from is published.
            _ = target.cluster.wait_beyond(generation, Instant::now() + PATIENCE) => {}
            event = events.next() => if event.is_none() { return },
            () = target.opened.notified() => {}
            () = login_changed => {}
            () = try_login(&target) => {}
            () = &mut closed => return,
        }
    }
}

/// Logs in once in a while, where the password may change: sqlx's pool takes what it was given
/// last, and tells nobody when a server refuses that. A refusal makes the cluster look for another
/// login, which is told to the pool then. Without changing logins it never ends.
async fn try_login<E: Engine>(target: &Target<E>) {
    if !target.cluster.has_changing_logins() {
        return std::future::pending().await;
    }
    // Begun anew whenever the pool has opened a connection, which shows as much.
    tokio::time::sleep(LOGIN_CHECK).await;
    let topology = target.cluster.topology();
    if let Some(instance) = target.cluster.route(&topology, target.need()) {
        let deadline = Instant::now() + target.cluster.config().connect_timeout();
        E::try_login(&target.cluster, instance, deadline).await;
    }
}

/// The pool behind `writer_database`, made when it is first asked for.
pub(crate) struct WriterPool {
    cluster: Cluster,
    tasks: Arc<TaskSessions>,
    made: OnceLock<(DatabaseConnection, Option<AbortHandle>)>,
}

impl WriterPool {
    pub(crate) fn new(cluster: Cluster, tasks: Arc<TaskSessions>) -> Self {
        Self { cluster, tasks, made: OnceLock::new() }
    }

    pub(crate) fn database(&self) -> &DatabaseConnection {
        let (database, _) = self.made.get_or_init(|| match self.cluster.config().family() {
            #[cfg(feature = "mysql")]
            Family::MySql => self.make::<sqlx::MySql>(),
            #[cfg(feature = "postgres")]
            Family::Postgres => self.make::<sqlx::Postgres>(),
            // Says of every statement that there is no connection.
            _ => (DatabaseConnection::default(), None),
        });
        database
    }

    fn make<E: Engine>(&self) -> (DatabaseConnection, Option<AbortHandle>) {
        let tasks = Some(Arc::clone(&self.tasks));
        let target = Arc::new(Target::<E>::new(self.cluster.clone(), Role::Writer, tasks));
        let events = self.cluster.events();
        let options = target.begin(None);
        let pool = PoolOptions::new().acquire_timeout(self.cluster.config().failover_timeout());
        let pool = target.hook(pool).connect_lazy_with(options);
        let task = tokio::spawn(follow(target, pool.clone(), events));
        (E::database(pool), Some(task.abort_handle()))
    }
}

impl Drop for WriterPool {
    /// The task holds the pool, and the pool the cluster.
    fn drop(&mut self) {
        if let Some((_, Some(task))) = self.made.get() {
            task.abort();
        }
    }
}

impl<E: Engine> fmt::Debug for Target<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("role", &self.role).finish_non_exhaustive()
    }
}
