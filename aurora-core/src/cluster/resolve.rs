//! Finding out what became of a COMMIT whose answer was lost, and the upkeep of markers.
//!
//! All of it runs on connections of its own, on the background runtime: the adapter's session, its
//! pool and its settings have no part in it.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Cluster, EndOnDrop, Turn};
use crate::config::Family;
use crate::error::{Error, ErrorKind, Outcome};
use crate::postgres_client::PostgresDriver;
use crate::probe::Failure;
use crate::route::Need;
use crate::topology::{Instance, Role};
use crate::transaction::{Doubt, Evidence, MarkerId, MarkerTable};

/// How long to wait before the same server is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How often markers are pruned, by each process that writes some.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long creating the table, or pruning it, may take.
const UPKEEP: Duration = Duration::from_secs(30);

/// How much longer than that a thread waits to be told so.
const GRACE: Duration = Duration::from_secs(1);

/// What a resolver sets for its own session. It must see what was committed while it waited for
/// it; a lock is waited for again and again, so that nobody waits on when the resolver has gone.
const SETTINGS: &str = "SET default_transaction_isolation = 'read committed'; \
    SET default_transaction_read_only = off; SET synchronous_commit = on; \
    SET lock_timeout = '1s'";

/// Replayable transactions.
impl Cluster {
    /// Whether the transaction in doubt was committed; if not, it never will be.
    ///
    /// # Errors
    ///
    /// When that cannot be found out until `until`: with the reason, and [`Outcome::Unknown`].
    ///
    /// # Cancel safety
    ///
    /// Safe; what was not answered can be asked again.
    pub async fn resolve(&self, doubt: Doubt, until: Instant) -> Result<bool, Error> {
        let cluster = self.clone();
        self.in_background(async move { cluster.resolve_here(&doubt, until).await }).await
    }

    /// Like [`Cluster::resolve`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::resolve`].
    pub fn resolve_blocking(&self, doubt: Doubt, until: Instant) -> Result<bool, Error> {
        let cluster = self.clone();
        self.in_background_blocking(until, async move { cluster.resolve_here(&doubt, until).await })
    }

    /// Creates the table of markers if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoWriter`], [`ErrorKind::Privilege`], or what else the server says.
    ///
    /// # Cancel safety
    ///
    /// Safe: whether the table was created is not known then, and it can be asked for again.
    pub async fn create_marker_table(&self, table: &MarkerTable) -> Result<(), Error> {
        let (cluster, sql, until) = (self.clone(), table.create_sql(), Instant::now() + UPKEEP);
        self.in_background(async move { cluster.create(&sql, until).await }).await
    }

    /// Like [`Cluster::create_marker_table`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::create_marker_table`].
    pub fn create_marker_table_blocking(&self, table: &MarkerTable) -> Result<(), Error> {
        let (cluster, sql, until) = (self.clone(), table.create_sql(), Instant::now() + UPKEEP);
        self.in_background_blocking(until, async move { cluster.create(&sql, until).await })
    }

    /// Notes that a marker was written: now and then, old ones are pruned in the background.
    pub fn note_marker(&self, table: &MarkerTable) {
        // Whoever else looks at this moment sees to it.
        let Ok(mut pruned_at) = self.0.pruned_at.try_lock() else { return };
        let now = Instant::now();
        if pruned_at.is_some_and(|at| now < at + PRUNE_INTERVAL) {
            return;
        }
        *pruned_at = Some(now);
        let (cluster, sql) = (self.clone(), table.prune_sql());
        self.0._background.handle().spawn(async move {
            if let Err(error) = cluster.on_writer(&sql, now + UPKEEP).await {
                tracing::debug!(target: "aurora", %error, "markers were not pruned");
            }
        });
    }

    async fn in_background<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Result<R, Error> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let _task = EndOnDrop(self.0._background.handle().spawn(async move {
            let _ = sender.send(work.await);
        }));
        receiver.await.unwrap_or_else(|_| Err(ended()))
    }

    fn in_background_blocking<R: Send + 'static>(
        &self,
        until: Instant,
        work: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Result<R, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.0._background.handle().spawn(async move {
            let _ = sender.send(work.await);
        });
        // The work ends by itself, unless the machine has no time for it.
        let patience = until.saturating_duration_since(Instant::now()) + GRACE;
        receiver.recv_timeout(patience).unwrap_or_else(|_| Err(ended()))
    }

    async fn resolve_here(&self, doubt: &Doubt, until: Instant) -> Result<bool, Error> {
        if self.config().family() != Family::Postgres {
            let text = "what became of a COMMIT can only be found out on PostgreSQL yet";
            let error = Error::new(ErrorKind::Configuration, text);
            return Err(error.with_outcome(Outcome::Unknown));
        }
        let result = match &doubt.evidence {
            Evidence::Marker(table, id) => self.resolve_marker(doubt, table, *id, until).await,
            Evidence::Transaction { id, since } => {
                self.resolve_transaction(doubt, *id, *since, until).await
            }
            Evidence::NothingWritten => Ok(false),
            Evidence::None => {
                Err(Error::new(ErrorKind::ConnectionLost, "nothing was noted to find it by"))
            }
        };
        result.map_err(|error| error.with_outcome(Outcome::Unknown))
    }

    async fn resolve_marker(
        &self,
        doubt: &Doubt,
        table: &MarkerTable,
        id: MarkerId,
        until: Instant,
    ) -> Result<bool, Error> {
        let sql = table.resolve_sql(id);
        loop {
            let topology = self.wait_for(Need::Write, until).await?;
            let Some(writer) = topology.writer() else { continue };
            let error = match self.ask(writer, &sql, until).await {
                Ok(answer) if answer.as_deref() == Some("t") => return Ok(true),
                Ok(_) if doubt.is_recent(Instant::now()) => return Ok(false),
                Ok(_) => return Err(too_late()),
                Err(error) => error,
            };
            self.settle(topology.generation(), error, until).await?;
        }
    }

    async fn resolve_transaction(
        &self,
        doubt: &Doubt,
        id: i64,
        since: Instant,
        until: Instant,
    ) -> Result<bool, Error> {
        let sql = format!("SELECT pg_catalog.txid_status({id})");
        loop {
            let topology = self.topology();
            let server = topology.instance(&doubt.place.instance);
            let server = server.filter(|server| server.epoch() == doubt.place.epoch);
            let Some(server) = server.filter(|server| server.role() == Role::Writer) else {
                return Err(other_server());
            };
            let error = match self.ask(server, &sql, until).await {
                // What was said counts only if it was the same server that said it.
                Ok(answer) => {
                    self.confirm(doubt, since, until).await?;
                    match answer.as_deref() {
                        Some("committed") => return Ok(true),
                        Some("aborted") => return Ok(false),
                        Some("in progress") => {
                            Error::new(ErrorKind::Deadline, "it is still in progress")
                        }
                        _ => return Err(too_late()),
                    }
                }
                Err(error) => error,
            };
            self.settle(topology.generation(), error, until).await?;
        }
    }

    /// Makes sure that the server has not crashed or restarted between `since` and now: the
    /// monitor's session to it is the same one.
    async fn confirm(&self, doubt: &Doubt, since: Instant, until: Instant) -> Result<(), Error> {
        let (id, epoch) = (&doubt.place.instance, doubt.place.epoch);
        let now = Instant::now();
        self.wait_confirmed(id, epoch, now, until).await;
        let topology = self.topology();
        let server = topology.instance(id).ok_or_else(other_server)?;
        let is_same = server.epoch() == epoch
            && server.role() == Role::Writer
            && server.confirmed_at() >= Some(now)
            && server.watched_since().is_some_and(|watched| watched <= since);
        if is_same { Ok(()) } else { Err(other_server()) }
    }

    /// Puts one statement to `instance`, on a connection of its own; the first column of the
    /// first row is its answer.
    async fn ask(
        &self,
        instance: &Instance,
        sql: &str,
        until: Instant,
    ) -> Result<Option<String>, Error> {
        let (client, _driver) = self.connect_in_turn(instance, until).await?;
        let asked = self.until(until, async {
            client.batch_execute(SETTINGS).await?;
            first_column(&client, sql).await
        });
        match asked.await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(refused(error).on(instance.id())),
            None => Err(Error::new(ErrorKind::Deadline, "it did not answer").on(instance.id())),
        }
    }

    /// Those who ask after a failover are many: they connect no faster than everybody else.
    async fn connect_in_turn(
        &self,
        instance: &Instance,
        until: Instant,
    ) -> Result<(Client, PostgresDriver), Error> {
        let queue = &self.0.questions;
        let Turn::Open(permit) = self.turn_until(queue, instance, Need::Write, until).await? else {
            let text = "the instance is out of use";
            return Err(Error::new(ErrorKind::ConnectionLost, text).on(instance.id()));
        };
        let connecting = until.min(Instant::now() + self.config().connect_timeout());
        let opened = self.connect_postgres(instance, connecting).await;
        match &opened {
            Ok(_) => permit.opened(),
            Err(error) => permit.failed(error.kind()),
        }
        opened
    }

    async fn create(&self, sql: &str, until: Instant) -> Result<(), Error> {
        let patience = Instant::now() + self.config().failover_timeout();
        self.wait_for(Need::Write, until.min(patience)).await?;
        self.on_writer(sql, until).await
    }

    /// Runs one statement on the writer there is now.
    async fn on_writer(&self, sql: &str, until: Instant) -> Result<(), Error> {
        let topology = self.topology();
        let writer = topology.writer().ok_or_else(|| Error::new(ErrorKind::NoWriter, ""))?;
        self.ask(writer, sql, until).await.map(drop)
    }

    /// Waits a little, or for news; gives `error` back when it will stay, or time is up.
    async fn settle(&self, generation: u64, error: Error, until: Instant) -> Result<(), Error> {
        let stays = matches!(error.kind(), ErrorKind::Statement | ErrorKind::Privilege);
        if stays || Instant::now() + PAUSE >= until {
            return Err(error);
        }
        self.wait_beyond(generation, Instant::now() + PAUSE).await;
        Ok(())
    }
}

async fn first_column(client: &Client, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
    for message in client.simple_query(sql).await? {
        // The enum is open; only rows matter.
        if let SimpleQueryMessage::Row(row) = message {
            return Ok(row.get(0).map(str::to_owned));
        }
    }
    Ok(None)
}

/// What the server answered instead of an answer.
fn refused(error: tokio_postgres::Error) -> Error {
    // lock_not_available, and what else passes (serialization_failure, deadlock_detected).
    let passes =
        error.code().is_some_and(|code| matches!(code.code(), "55P03" | "40001" | "40P01"));
    // syntax_error_or_access_rule_violation: the table is missing, or another one, or not ours.
    let stays = error.code().is_some_and(|code| code.code().starts_with("42"));
    let error = Failure::from(error).into_error();
    if passes {
        return Error::new(ErrorKind::Deadline, "it is still in progress");
    }
    let kind = if stays { ErrorKind::Statement } else { ErrorKind::ConnectionLost };
    Error::new(kind, error.message())
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the background runtime has ended, or does not get to it")
        .with_outcome(Outcome::Unknown)
}

fn too_late() -> Error {
    Error::new(ErrorKind::Deadline, "it is too long ago: what would tell is not kept any more")
}

fn other_server() -> Error {
    Error::new(
        ErrorKind::ConnectionLost,
        "the server crashed, restarted or was replaced meanwhile, and its transaction ids tell \
         nothing any more; markers would (Resolve::Marker)",
    )
}
