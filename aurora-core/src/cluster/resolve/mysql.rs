//! What is asked of MySQL and MariaDB.

use std::time::Instant;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error as DriversError};

use super::{GRACE, Question, in_progress, no_answer};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind};
use crate::probe::Failure;
use crate::topology::Instance;
use crate::transaction::{BATCH, MarkerId, MarkerTable, MySqlMarkers};

/// What a resolver sets for its own session.
///
/// * Each statement is a transaction of its own, which may write. At `READ COMMITTED` a server that
///   logs statements refuses to write (1665).
/// * A lock is waited for again and again, so that nobody waits on when the resolver has gone.
/// * The hour that summer time skips makes no marker old.
const SETTINGS: &str = "SET SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = 1, \
    SESSION lock_wait_timeout = 1, SESSION time_zone = '+00:00'; \
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE";

impl Cluster {
    pub(super) fn mysql_markers<'a>(&'a self, table: &'a MarkerTable) -> MySqlMarkers<'a> {
        MySqlMarkers::new(table, self.config().database())
    }

    /// Puts one question to `instance`.
    pub(super) async fn ask_mysql(
        &self,
        instance: &Instance,
        question: &Question,
        until: Instant,
    ) -> Result<Option<String>, Error> {
        let connect = async |deadline| self.connect_mysql(instance, deadline).await;
        let (mut conn, _) = self.connect_in_turn(instance, until, connect).await?;
        let answer = self.until(until, self.answered(&mut conn, question)).await;
        let answer = answer.ok_or_else(no_answer)?;
        // What a server owes that hangs just now is not waited for.
        let _ = self.until(Instant::now() + GRACE, conn.disconnect()).await;
        answer.map_err(Refusal::into_error)
    }

    async fn answered(
        &self,
        conn: &mut Conn,
        question: &Question,
    ) -> Result<Option<String>, Refusal> {
        conn.query_drop(SETTINGS).await?;
        match question {
            Question::Marker(table, id) => owner(conn, &self.mysql_markers(table), *id).await,
            Question::Create(table) => {
                conn.query_drop(self.mysql_markers(table).create_sql()).await?;
                Ok(None)
            }
            Question::Prune(table) => prune(conn, &self.mysql_markers(table)).await,
            Question::Transaction(_) => Err(Refusal::Told("the server keeps no such ids")),
        }
    }
}

/// Why there is no answer.
enum Refusal {
    Driver(DriversError),
    /// It would be no answer.
    Told(&'static str),
}

impl From<DriversError> for Refusal {
    fn from(error: DriversError) -> Self {
        Self::Driver(error)
    }
}

impl Refusal {
    fn into_error(self) -> Error {
        match self {
            Self::Driver(error) => refused(&error),
            Self::Told(text) => Error::new(ErrorKind::Statement, text),
        }
    }
}

/// Whose row is there, when the resolver's was written or was not to be.
async fn owner(
    conn: &mut Conn,
    markers: &MySqlMarkers<'_>,
    id: MarkerId,
) -> Result<Option<String>, Refusal> {
    let engine: Option<Option<String>> = conn.query_first(markers.engine_sql()).await?;
    // A table that is not there is told of by the next statement.
    if engine.flatten().is_some_and(|engine| !engine.eq_ignore_ascii_case("InnoDB")) {
        return Err(Refusal::Told("the table of markers is not one of InnoDB"));
    }
    conn.query_drop(markers.claim_sql(id)).await?;
    Ok(conn.query_first(markers.owner_sql(id)).await?)
}

async fn prune(conn: &mut Conn, markers: &MySqlMarkers<'_>) -> Result<Option<String>, Refusal> {
    let mut after = String::new();
    loop {
        let old: Vec<String> = conn.query(markers.old_sql(&after)).await?;
        let Some(last) = old.last() else { return Ok(None) };
        after.clone_from(last);
        conn.query_drop(markers.remove_sql(&old)).await?;
        if old.len() < BATCH {
            return Ok(None);
        }
    }
}

/// What the server answered instead of an answer.
fn refused(error: &DriversError) -> Error {
    let DriversError::Server(answer) = error else {
        let error = Failure::of_mysql_driver(error).into_error();
        return Error::new(ErrorKind::ConnectionLost, error.message());
    };
    match answer.code {
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_TRANSACTION_ROLLBACK_DURING_COMMIT (another
        // member of the group was first): it is asked again.
        1205 | 1213 | 3101 => in_progress(),
        // Syntax error or access violation: the table is missing, or another one, or not ours.
        _ if answer.state.starts_with("42") => Error::new(ErrorKind::Statement, answer.to_string()),
        _ => Error::new(ErrorKind::ConnectionLost, answer.to_string()),
    }
}
