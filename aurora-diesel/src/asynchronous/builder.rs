//! [`TransactionBuilder`]: transactions with an isolation level and an access mode.

use diesel::QueryResult;
#[cfg(feature = "async-postgres")]
use diesel_async::AsyncPgConnection;
use diesel_async::{AnsiTransactionManager, TransactionManager as _};

use super::connection::AuroraConnection;
use super::driver::Physical;
use super::scope::{AsyncFunc, TransactionScope};

/// A transaction to be run with the given isolation level and access mode; made by
/// [`AuroraConnection::build_transaction`]. What is not said is the server's default.
#[derive(Debug)]
#[must_use = "a transaction builder does nothing until `run`"]
pub struct TransactionBuilder<
    'a,
    #[cfg(feature = "async-postgres")] C: Physical = AsyncPgConnection,
    #[cfg(not(feature = "async-postgres"))] C: Physical,
> {
    connection: &'a mut AuroraConnection<C>,
    isolation: &'static str,
    access: &'static str,
    deferrable: &'static str,
}

impl<'a, C: Physical> TransactionBuilder<'a, C> {
    pub(crate) fn new(connection: &'a mut AuroraConnection<C>) -> Self {
        Self { connection, isolation: "", access: "", deferrable: "" }
    }

    /// `READ ONLY`: runs on a reader, unless the transaction is serializable.
    pub fn read_only(mut self) -> Self {
        self.access = " READ ONLY";
        self
    }

    /// `READ WRITE`.
    pub fn read_write(mut self) -> Self {
        self.access = " READ WRITE";
        self
    }

    /// `READ COMMITTED`.
    pub fn read_committed(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL READ COMMITTED";
        self
    }

    /// `REPEATABLE READ`.
    pub fn repeatable_read(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL REPEATABLE READ";
        self
    }

    /// `SERIALIZABLE`: runs on the writer, because readers cannot.
    pub fn serializable(mut self) -> Self {
        self.isolation = " ISOLATION LEVEL SERIALIZABLE";
        self
    }

    /// Runs `work` inside the transaction, which is committed if it returns `Ok` and rolled back
    /// if it returns `Err`.
    ///
    /// # Errors
    ///
    /// Those of `work`; those of beginning, committing and rolling back;
    /// [`diesel::result::Error::AlreadyInTransaction`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future undoes the transaction, unless its COMMIT was under way.
    pub async fn run<F, T, E>(&mut self, work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnOnce(&'r mut AuroraConnection<C>) -> Result<T, E>
            + AsyncFunc<&'r mut AuroraConnection<C>, Result<T, E>, Fut: Send>
            + Send,
        E: From<diesel::result::Error>,
    {
        let connection = &mut *self.connection;
        let sql = C::begin(self.isolation, self.access, self.deferrable);
        connection.heal();
        let depth = connection.depth();
        let scope = TransactionScope::enter(&connection.abandoned, depth);
        let result = run(connection, &sql, work).await;
        scope.end();
        result
    }
}

#[cfg(feature = "async-postgres")]
impl TransactionBuilder<'_, AsyncPgConnection> {
    /// `DEFERRABLE`: a serializable read-only transaction waits until it cannot fail.
    pub fn deferrable(mut self) -> Self {
        self.deferrable = " DEFERRABLE";
        self
    }

    /// `NOT DEFERRABLE`.
    pub fn not_deferrable(mut self) -> Self {
        self.deferrable = " NOT DEFERRABLE";
        self
    }
}

async fn run<C: Physical, F, T, E>(
    connection: &mut AuroraConnection<C>,
    sql: &str,
    work: F,
) -> Result<T, E>
where
    for<'r> F: AsyncFnOnce(&'r mut AuroraConnection<C>) -> Result<T, E>
        + AsyncFunc<&'r mut AuroraConnection<C>, Result<T, E>, Fut: Send>
        + Send,
    E: From<diesel::result::Error>,
{
    AnsiTransactionManager::begin_transaction_sql(connection, sql).await?;
    match work(&mut *connection).await {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection).await?;
            Ok(value)
        }
        Err(error) => match roll_back(connection).await {
            Ok(()) => Err(error),
            Err(failed) => Err(failed.into()),
        },
    }
}

/// The error of the transaction itself matters more than that it could not be rolled back.
async fn roll_back<C: Physical>(connection: &mut AuroraConnection<C>) -> QueryResult<()> {
    match AnsiTransactionManager::rollback_transaction(connection).await {
        Ok(()) | Err(diesel::result::Error::BrokenTransactionManager) => Ok(()),
        Err(error) => Err(error),
    }
}
