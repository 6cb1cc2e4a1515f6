//! Transactions with an isolation level and an access mode.

use aurora_core::Family;
use aurora_core::transaction::RunOptions;
use diesel::connection::{AnsiTransactionManager, TransactionManager as _};
use diesel::mysql::MysqlConnection;
use diesel::result::{Error, QueryResult};

use crate::connection::AuroraConnection;

/// Begins a transaction as `options` say.
///
/// The level is set for the next transaction by a statement of its own, which leaves nothing behind
/// when one text begins that transaction at once: so the whole is no more than a BEGIN.
pub(super) fn begin(
    session: &mut AuroraConnection<MysqlConnection>,
    options: &RunOptions,
) -> QueryResult<()> {
    let statements = options.begin_statements(Family::MySql);
    session.announced = statements.last().map(|begin| session.cluster().classify(begin));
    let begun = AnsiTransactionManager::begin_transaction_sql(session, &statements.join("; "));
    session.announced = None;
    begun
}

/// Builds a transaction; see `AuroraConnection::build_transaction`.
#[derive(Debug)]
#[must_use = "a transaction builder does nothing until `run`"]
pub struct TransactionBuilder<'a> {
    session: &'a mut AuroraConnection<MysqlConnection>,
    options: RunOptions,
}

impl AuroraConnection<MysqlConnection> {
    /// Builds a transaction with an isolation level and an access mode.
    ///
    /// A `read_only()` transaction runs on a reader, unless it is `serializable()`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # fn report(connection: &mut aurora_diesel::AuroraConnection<MysqlConnection>) -> QueryResult<()> {
    /// connection.build_transaction().repeatable_read().read_only().run(|connection| {
    ///     // Everything here sees the same snapshot, on the same reader.
    /// #   let _ = connection;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_> {
        TransactionBuilder { session: self, options: RunOptions::new() }
    }
}

impl TransactionBuilder<'_> {
    /// `READ ONLY`.
    pub fn read_only(self) -> Self {
        Self { options: self.options.read_only(), ..self }
    }

    /// `READ WRITE`.
    pub fn read_write(self) -> Self {
        Self { options: self.options.read_write(), ..self }
    }

    /// `READ COMMITTED`.
    pub fn read_committed(self) -> Self {
        Self { options: self.options.read_committed(), ..self }
    }

    /// `REPEATABLE READ`.
    pub fn repeatable_read(self) -> Self {
        Self { options: self.options.repeatable_read(), ..self }
    }

    /// `SERIALIZABLE`: runs on the writer.
    pub fn serializable(self) -> Self {
        Self { options: self.options.serializable(), ..self }
    }

    /// Runs `work` in the transaction: committed when it returns `Ok`, else rolled back.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`Error::AlreadyInTransaction`] inside a transaction; and those of BEGIN and
    /// COMMIT.
    pub fn run<T, E>(
        self,
        work: impl FnOnce(&mut AuroraConnection<MysqlConnection>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let Self { session, options } = self;
        begin(session, &options)?;
        match work(session) {
            Ok(value) => {
                AnsiTransactionManager::commit_transaction(session)?;
                Ok(value)
            }
            Err(error) => {
                // What went wrong first tells more, and a connection that cannot roll back is given up.
                let _ = AnsiTransactionManager::rollback_transaction(session);
                Err(error)
            }
        }
    }
}
