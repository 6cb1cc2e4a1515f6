//! [`TransactionBuilder`]: transactions with an isolation level and an access mode.

use diesel::QueryResult;
use diesel_async::{AnsiTransactionManager, TransactionManager as _};

use super::connection::AuroraConnection;
use super::scope::{AsyncFunc, TransactionScope};

/// A transaction to be run with the given isolation level and access mode; made by
/// [`AuroraConnection::build_transaction`]. What is not said is the server's default.
#[derive(Debug)]
#[must_use = "a transaction builder does nothing until `run`"]
pub struct TransactionBuilder<'a> {
    connection: &'a mut AuroraConnection,
    isolation: &'static str,
    access: &'static str,
    deferrable: &'static str,
}

impl<'a> TransactionBuilder<'a> {
    pub(crate) fn new(connection: &'a mut AuroraConnection) -> Self {
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
        for<'r> F: AsyncFnOnce(&'r mut AuroraConnection) -> Result<T, E>
            + AsyncFunc<&'r mut AuroraConnection, Result<T, E>, Fut: Send>
            + Send,
        E: From<diesel::result::Error>,
    {
        let connection = &mut *self.connection;
        let sql = begin(self.isolation, self.access, self.deferrable);
        connection.heal();
        let depth = connection.depth();
        let scope = TransactionScope::enter(&connection.abandoned, depth);
        let result = run(connection, &sql, work).await;
        scope.end();
        result
    }
}

async fn run<F, T, E>(connection: &mut AuroraConnection, sql: &str, work: F) -> Result<T, E>
where
    for<'r> F: AsyncFnOnce(&'r mut AuroraConnection) -> Result<T, E>
        + AsyncFunc<&'r mut AuroraConnection, Result<T, E>, Fut: Send>
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
async fn roll_back(connection: &mut AuroraConnection) -> QueryResult<()> {
    match AnsiTransactionManager::rollback_transaction(connection).await {
        Ok(()) | Err(diesel::result::Error::BrokenTransactionManager) => Ok(()),
        Err(error) => Err(error),
    }
}

fn begin(isolation: &str, access: &str, deferrable: &str) -> String {
    format!("BEGIN TRANSACTION{isolation}{access}{deferrable}")
}

#[cfg(test)]
mod tests {
    use super::begin;

    #[test]
    fn clauses_stand_in_the_order_of_postgresql() {
        let isolation = " ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(begin("", "", ""), "BEGIN TRANSACTION");
        assert_eq!(
            begin(isolation, " READ ONLY", " DEFERRABLE"),
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"
        );
    }
}
