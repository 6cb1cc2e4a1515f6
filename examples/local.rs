//! [`LocalCluster`]: what an asynchronous program runs on when it is only an example.

use std::sync::Arc;

use test_kit::PgCluster;
use tokio::task;

/// Anything that goes wrong in an example ends it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A cluster of PostgreSQL servers on this machine, which is gone when it is dropped.
#[derive(Debug)]
pub struct LocalCluster(Arc<PgCluster>);

impl LocalCluster {
    /// Starts that many instances, and has all of them show the tables that `schema` creates.
    ///
    /// # Errors
    ///
    /// When the servers do not start or refuse the schema.
    ///
    /// # Cancel safety
    ///
    /// What was started is ended.
    pub async fn start(instances: usize, schema: &'static str) -> Result<Self, Error> {
        let start = move || -> Result<Self, Error> {
            let kit = PgCluster::builder().instances(instances).start()?;
            let mut writer = kit.client(kit.writer())?;
            // The kit's writer waits for every reader; this has it wait until they show it, too.
            writer.batch_execute("SET synchronous_commit = remote_apply")?;
            writer.batch_execute(schema)?;
            Ok(Self(Arc::new(kit)))
        };
        task::spawn_blocking(start).await?
    }

    /// The URL of the cluster, with all its instances.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Does something to the servers, beside the asynchronous program.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    ///
    /// # Cancel safety
    ///
    /// The work is done all the same.
    pub async fn run<T, E>(
        &self,
        work: impl FnOnce(&PgCluster) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        let kit = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&kit)).await?.map_err(Into::into)
    }
}
