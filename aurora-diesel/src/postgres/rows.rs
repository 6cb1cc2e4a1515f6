//! [`Rows`]: the rows of one query, one by one.

use std::fmt;
use std::sync::Arc;

use aurora_core::session::Trouble;
use aurora_core::{Cluster, Complaint, InstanceId, InstanceStats, Outcome};
use diesel::connection::LoadConnection;
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::result::{Error, QueryResult};

use crate::errors;

type Driver = PgRowByRowLoadingMode;
type Cursor<'conn, 'query> = <PgConnection as LoadConnection<Driver>>::Cursor<'conn, 'query>;
type Row<'conn, 'query> = <PgConnection as LoadConnection<Driver>>::Row<'conn, 'query>;

/// The rows of one query as they arrive; when their connection breaks in the middle, the error
/// says what that came to.
pub struct Rows<'conn, 'query> {
    cursor: Cursor<'conn, 'query>,
    watch: Watch<'conn>,
}

impl<'conn, 'query> Rows<'conn, 'query> {
    pub(super) fn new(cursor: Cursor<'conn, 'query>, watch: Watch<'conn>) -> Self {
        Self { cursor, watch }
    }
}

impl<'conn, 'query> Iterator for Rows<'conn, 'query> {
    type Item = QueryResult<Row<'conn, 'query>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.cursor.next()?;
        Some(row.map_err(|error| self.watch.failed(error)))
    }
}

impl fmt::Debug for Rows<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("instance", &self.watch.instance).finish_non_exhaustive()
    }
}

/// What has to be known of a connection that breaks while its rows are taken.
pub(super) struct Watch<'conn> {
    pub(super) cluster: &'conn Cluster,
    pub(super) instance: InstanceId,
    pub(super) epoch: u64,
    pub(super) stats: Arc<InstanceStats>,
    pub(super) dirty: &'conn mut bool,
    /// Whether a query that is lost has changed nothing: a read, or part of a transaction, which
    /// is lost with it.
    pub(super) is_harmless: bool,
}

impl Watch<'_> {
    /// The error of the driver with what it came to; a connection that broke is given up.
    pub(super) fn failed(&mut self, error: Error) -> Error {
        match errors::trouble(&error, false) {
            Trouble::Lost => {}
            // Either it broke, which the next statement on it will find, or this statement cannot
            // be sent at all; nobody can ask while the cursor borrows it.
            Trouble::NotSent => {
                *self.dirty = true;
                return error;
            }
            Trouble::Conflict | Trouble::ReadOnly | Trouble::Statement => return error,
        }
        *self.dirty = true;
        self.stats.broke();
        let message = errors::driver_message(&error);
        let lost = Complaint::ConnectionLost;
        self.cluster.complain(&self.instance, self.epoch, lost, message);
        let outcome = if self.is_harmless { Outcome::NotApplied } else { Outcome::Unknown };
        errors::lost(&error, &self.instance, outcome)
    }
}
