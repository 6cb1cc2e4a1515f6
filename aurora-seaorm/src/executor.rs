//! What makes migrations and schema builders take an [`AuroraConnection`].

use sea_orm::{DatabaseExecutor, IntoDatabaseExecutor};

use crate::connection::AuroraConnection;

/// Migrations run on the writer, all of them: which ones were applied must not be asked of a
/// reader that is behind.
impl<'c> IntoDatabaseExecutor<'c> for &'c AuroraConnection {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        DatabaseExecutor::Connection(self.writer_database())
    }
}
