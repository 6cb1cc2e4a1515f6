//! Writing markers, and the upkeep of their table.

use std::time::{Duration, Instant};

use super::Question;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind};
use crate::route::Need;
use crate::transaction::{MarkerId, MarkerTable};

/// How often markers are pruned, by each process that writes some.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long creating the table, or pruning it, may take.
const UPKEEP: Duration = Duration::from_secs(30);

/// Markers of replayable transactions.
impl Cluster {
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
        let (cluster, table, until) = (self.clone(), table.clone(), Instant::now() + UPKEEP);
        self.in_background(async move { cluster.create(table, until).await }).await
    }

    /// Like [`Cluster::create_marker_table`], on the calling thread.
    ///
    /// # Errors
    ///
    /// See [`Cluster::create_marker_table`].
    pub fn create_marker_table_blocking(&self, table: &MarkerTable) -> Result<(), Error> {
        let (cluster, table, until) = (self.clone(), table.clone(), Instant::now() + UPKEEP);
        self.in_background_blocking(until, async move { cluster.create(table, until).await })
    }

    /// What a transaction runs before its COMMIT, in the words of this cluster's servers.
    #[must_use]
    pub fn mark_sql(&self, table: &MarkerTable, id: MarkerId) -> String {
        match self.config().family() {
            #[cfg(feature = "mysql")]
            crate::config::Family::MySql => self.mysql_markers(table).mark_sql(id),
            _ => table.mark_sql(id),
        }
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
        let (cluster, question) = (self.clone(), Question::Prune(table.clone()));
        self.0._background.handle().spawn(async move {
            if let Err(error) = cluster.on_writer(&question, now + UPKEEP).await {
                tracing::debug!(target: "aurora", %error, "markers were not pruned");
            }
        });
    }

    async fn create(&self, table: MarkerTable, until: Instant) -> Result<(), Error> {
        let patience = Instant::now() + self.config().failover_timeout();
        self.wait_for(Need::Write, until.min(patience)).await?;
        self.on_writer(&Question::Create(table), until).await
    }

    /// Has one thing done by the writer there is now.
    async fn on_writer(&self, question: &Question, until: Instant) -> Result<(), Error> {
        let topology = self.topology();
        let writer = topology.writer().ok_or_else(|| Error::new(ErrorKind::NoWriter, ""))?;
        self.ask(writer, question, until).await.map(drop)
    }
}
