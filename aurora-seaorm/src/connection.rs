//! [`AuroraConnection`]: usable wherever SeaORM expects a connection.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Session;
use aurora_core::sql::{Target, TransactionEffect};
use aurora_core::{Cluster, Config, Error, ErrorKind, Freshness};
use sea_orm::DatabaseConnection;
use tokio::sync::MutexGuard;

use crate::builder::Builder;
use crate::connection_trait::connection_trait;
use crate::engine::Row;
use crate::errors;
use crate::follow::WriterPool;
use crate::pools::Pools;
use crate::runner::Runner;
use crate::session::{self, Explicit, Key, Owner, Slot, TaskSessions};
use crate::statement::{Answer, Ask, Statement};

/// A handle to the cluster that sends each statement where it belongs: reads and streams to
/// readers, everything else to the writer.
///
/// Cheap to clone; all clones share their pools of connections, one per instance.
///
/// * A transaction stays on the connection of its BEGIN: the writer's, or a reader's when it was
///   begun read-only (but not serializable, which readers cannot).
/// * A session reads what it wrote: its reads stay with the writer until a reader is measured to
///   have caught up. A session is a tokio task (code outside any task: its thread), or what
///   [`AuroraConnection::session`] returns, for instance one per web request.
/// * A read that fails because its instance died is run again elsewhere. A write is never run
///   twice: when its connection was lost, [`crate::outcome`] says whether it was applied.
/// * A future that is dropped in the middle of a statement closes its connection.
/// * `SET`, `LISTEN`, advisory locks and a `BEGIN` as text need a connection of their own, which
///   [`AuroraConnection::session`] has. On a shared handle a `BEGIN` is refused, and other state
///   is gone when the statement ends.
///
/// APIs that insist on SeaORM's own type get [`AuroraConnection::writer_database`].
///
/// # Examples
///
/// ```no_run
/// use aurora_seaorm::ConnectAurora as _;
/// use sea_orm::{ConnectionTrait as _, Database};
///
/// # async fn example() -> Result<(), sea_orm::DbErr> {
/// let db = Database::connect_aurora("postgres://app:secret@db1,db2/shop").await?;
/// db.execute_unprepared("UPDATE carts SET open = false").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AuroraConnection {
    pub(crate) shared: Arc<Shared>,
    session: Option<Arc<Explicit>>,
    freshness: Freshness,
    forced: Option<Target>,
}

/// What all handles share.
pub(crate) struct Shared {
    pub(crate) pools: Arc<Pools>,
    pub(crate) tasks: Arc<TaskSessions>,
    pub(crate) writer: WriterPool,
}

impl AuroraConnection {
    /// A handle to `cluster`, with at most ten connections per instance. It opens none: the first
    /// statement does.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Builder::new(cluster).build()
    }

    /// Sets up a handle with pools of another size, or connections that are prepared.
    #[must_use]
    pub fn builder(cluster: Cluster) -> Builder {
        Builder::new(cluster)
    }

    pub(crate) fn of(pools: Pools) -> Self {
        let freshness = pools.cluster().config().freshness();
        let tasks = Arc::new(TaskSessions::default());
        let writer = WriterPool::new(pools.cluster().clone(), Arc::clone(&tasks));
        let shared = Shared { pools: Arc::new(pools), tasks, writer };
        Self { shared: Arc::new(shared), session: None, freshness, forced: None }
    }

    /// The cluster behind the handle.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.shared.pools.cluster()
    }

    pub(crate) fn config(&self) -> &Config {
        self.cluster().config()
    }

    /// A session of its own: it reads what was written through it, from whichever task, and not
    /// necessarily what was written elsewhere. Its clones are the same session.
    ///
    /// A statement that changes the session (`SET`, temporary tables, advisory locks, a `BEGIN`
    /// as text, …) ties it to a connection, which is closed with the session's last handle.
    #[must_use]
    pub fn session(&self) -> Self {
        Self { session: Some(Arc::default()), ..self.clone() }
    }

    /// The same session with every statement sent to the writer.
    #[must_use]
    pub fn on_writer(&self) -> Self {
        Self { forced: Some(Target::Writer), ..self.clone() }
    }

    /// The same session with its reads sent to readers, however far behind its own writes they
    /// are. Writes still go to the writer.
    #[must_use]
    pub fn on_reader(&self) -> Self {
        Self { forced: Some(Target::Reader), ..self.clone() }
    }

    /// The same session with reads that see data as recent as this; the default is the cluster's
    /// `freshness`.
    #[must_use]
    pub fn with_freshness(&self, freshness: Freshness) -> Self {
        Self { freshness, ..self.clone() }
    }

    /// An ordinary connection of SeaORM's that follows the writer, for APIs that insist on that
    /// type. It has a pool of its own, and ends with the last of these handles.
    ///
    /// What is written through it is seen by the reads that begin after its connection was
    /// returned to its pool, in every session without a handle of its own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as sqlx's pools do.
    #[must_use]
    pub fn writer_database(&self) -> &DatabaseConnection {
        self.shared.writer.database()
    }

    /// A runner for one statement or transaction of this session.
    pub(crate) fn runner(&self) -> Runner {
        Runner::new(Arc::clone(&self.shared.pools), self.new_session(), self.owner())
    }

    /// The session's state, as a statement that begins now has to know it.
    pub(crate) fn new_session(&self) -> Session {
        let mut session = self.owner().session(self.freshness);
        session.force(self.forced);
        session
    }

    /// Whose statements go through this handle.
    pub(crate) fn owner(&self) -> Owner {
        match &self.session {
            Some(session) => Owner::Explicit(Arc::clone(&session.marks)),
            None => Owner::Task(Arc::clone(&self.shared.tasks), Key::current()),
        }
    }

    /// Has the session's reads see what the runner wrote.
    pub(crate) fn follow(&self, runner: &mut Runner) {
        // What a transaction wrote is there once it has committed.
        if !runner.in_transaction() && runner.take_wrote() {
            self.owner().note(Instant::now());
        }
    }

    /// What ties an explicit session to a connection, if the statement belongs there.
    pub(crate) async fn tie(&self, sql: &str) -> Result<Option<Slot>, sqlx::Error> {
        let classification = self.cluster().classify(sql);
        let effect = classification.transaction_effect();
        let Some(session) = &self.session else {
            return match effect {
                TransactionEffect::Opens { .. } => Err(errors::from_core(begin_as_text())),
                _ => Ok(None),
            };
        };
        let ties = classification.leaves_session_state() || effect != TransactionEffect::None;
        let mut pinned = self.lock(&session.pinned).await?;
        if pinned.is_none() {
            if !ties {
                return Ok(None);
            }
            *pinned = Some(self.runner());
        }
        Ok(Some(Arc::clone(&session.pinned)))
    }

    /// The connection an explicit session is tied to, for a transaction to begin there.
    pub(crate) async fn tied(&self) -> Result<Option<Slot>, sqlx::Error> {
        let Some(session) = &self.session else { return Ok(None) };
        let is_tied = self.lock(&session.pinned).await?.is_some();
        Ok(is_tied.then(|| Arc::clone(&session.pinned)))
    }

    /// The connection of a session or transaction, for as long as a statement may wait.
    pub(crate) async fn lock<'a>(
        &self,
        slot: &'a Slot,
    ) -> Result<MutexGuard<'a, Option<Runner>>, sqlx::Error> {
        session::lock_slot(slot, self.cluster().config().failover_timeout()).await
    }

    async fn run(&self, statement: Statement<'_>, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        if let Some(slot) = self.tie(statement.sql).await? {
            return self.run_tied(&slot, statement, ask).await;
        }
        let mut runner = self.runner();
        let result = runner.run(statement, ask).await;
        self.follow(&mut runner);
        if runner.is_pinned() {
            tracing::warn!(
                "a statement changed the state of its session on a shared handle, where that is \
                 lost with the statement: use AuroraConnection::session"
            );
        }
        result
    }

    pub(crate) async fn rows(
        &self,
        statement: &sea_orm::Statement,
    ) -> Result<Vec<Row>, sqlx::Error> {
        self.run(statement.into(), Ask::All).await.map(Answer::rows)
    }

    /// Runs a statement on the connection that a session is tied to.
    pub(crate) async fn run_tied(
        &self,
        slot: &Slot,
        statement: Statement<'_>,
        ask: Ask<'_>,
    ) -> Result<Answer, sqlx::Error> {
        let mut guard = self.lock(slot).await?;
        let runner = guard.get_or_insert_with(|| self.runner());
        let result = runner.run(statement, ask).await;
        self.follow(runner);
        if runner.is_free() {
            *guard = None;
        }
        result
    }
}

fn begin_as_text() -> Error {
    Error::new(
        ErrorKind::Statement,
        "a transaction begun as text needs a connection of its own: use begin() or transaction(), \
         or run it on AuroraConnection::session",
    )
}

connection_trait!(AuroraConnection);

impl fmt::Debug for AuroraConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuroraConnection")
            .field("pools", &self.shared.pools)
            .field("has_session", &self.session.is_some())
            .field("freshness", &self.freshness)
            .field("forced", &self.forced)
            .finish_non_exhaustive()
    }
}
