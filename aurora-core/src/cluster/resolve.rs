//! Finding out what became of a COMMIT whose answer was lost, and the upkeep of markers.
//!
//! All of it runs on connections of its own, on the background runtime: the adapter's session, its
//! pool and its settings have no part in it.

#[cfg(feature = "mysql")]
mod mysql;
mod postgres;
mod upkeep;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Cluster, EndOnDrop, Turn};
use crate::config::Family;
use crate::error::{Error, ErrorKind, Outcome};
use crate::gate::Permit;
use crate::route::Need;
use crate::topology::{Instance, Role};
use crate::transaction::{Doubt, Evidence, MarkerId, MarkerTable, Resolve, RunOptions};

/// How long to wait before the same server is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How much longer than the work may take a thread waits to be told of its end, and how long a
/// goodbye may take.
const GRACE: Duration = Duration::from_secs(1);

/// What is put to an instance.
#[derive(Clone, Debug)]
enum Question {
    /// Whose row of that key is there: `t` for the transaction's, `f` for a resolver's.
    Marker(MarkerTable, MarkerId),
    /// What became of the transaction of that id, which only PostgreSQL tells.
    Transaction(i64),
    /// Create the table of markers.
    Create(MarkerTable),
    /// Remove the old ones.
    Prune(MarkerTable),
}

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

    /// How a COMMIT in doubt is resolved here: as `options` say, but for [`Resolve::SameServer`]
    /// in MySQL, which tells nobody what became of a transaction.
    #[must_use]
    pub fn resolving<'a>(&self, options: &'a RunOptions) -> &'a Resolve {
        match options.resolving() {
            Resolve::SameServer if self.config().family() == Family::MySql => &Resolve::No,
            resolve => resolve,
        }
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
        let result = match &doubt.evidence {
            Evidence::Marker(table, id) => self.resolve_marker(doubt, table, *id, until).await,
            Evidence::Transaction { id, since } => {
                self.resolve_transaction(doubt, *id, *since, until).await
            }
            Evidence::NothingWritten => Ok(false),
            Evidence::None => {
                let text = "nothing was noted to find it by; markers would be (Resolve::Marker)";
                Err(Error::new(ErrorKind::ConnectionLost, text))
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
        let question = Question::Marker(table.clone(), id);
        loop {
            let topology = self.wait_for(Need::Write, until).await?;
            let Some(writer) = topology.writer() else { continue };
            let error = match self.ask(writer, &question, until).await {
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
        let question = Question::Transaction(id);
        loop {
            let topology = self.topology();
            let server = topology.instance(&doubt.place.instance);
            let server = server.filter(|server| server.epoch() == doubt.place.epoch);
            let Some(server) = server.filter(|server| server.role() == Role::Writer) else {
                return Err(other_server());
            };
            let error = match self.ask(server, &question, until).await {
                // What was said counts only if it was the same server that said it.
                Ok(answer) => {
                    self.confirm(doubt, since, until).await?;
                    match answer.as_deref() {
                        Some("committed") => return Ok(true),
                        Some("aborted") => return Ok(false),
                        Some("in progress") => in_progress(),
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

    /// Puts one question to `instance`, on a connection of its own.
    async fn ask(
        &self,
        instance: &Instance,
        question: &Question,
        until: Instant,
    ) -> Result<Option<String>, Error> {
        let asked = match self.config().family() {
            #[cfg(feature = "mysql")]
            Family::MySql => self.ask_mysql(instance, question, until).await,
            _ => self.ask_postgres(instance, question, until).await,
        };
        asked.map_err(|error| error.on(instance.id()))
    }

    /// Those who ask after a failover are many: they connect no faster than everybody else.
    async fn connect_in_turn<C>(
        &self,
        instance: &Instance,
        until: Instant,
        connect: impl AsyncFnOnce(Instant) -> Result<C, Error>,
    ) -> Result<C, Error> {
        let permit = self.question_permit(instance, until).await?;
        let opened = connect(until.min(Instant::now() + self.config().connect_timeout())).await;
        match &opened {
            Ok(_) => permit.opened(),
            Err(error) => permit.failed(error.kind()),
        }
        opened
    }

    async fn question_permit(&self, instance: &Instance, until: Instant) -> Result<Permit, Error> {
        let queue = &self.0.questions;
        match self.turn_until(queue, instance, Need::Write, until).await? {
            Turn::Open(permit) => Ok(permit),
            _ => Err(Error::new(ErrorKind::ConnectionLost, "the instance is out of use")),
        }
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

/// The server's word that its transaction has not ended yet, or another passing one.
fn in_progress() -> Error {
    Error::new(ErrorKind::Deadline, "it is still in progress")
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Deadline, "it did not answer")
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
