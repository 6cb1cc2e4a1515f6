//! What is asked of PostgreSQL.

use std::time::Instant;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Question, in_progress, no_answer};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind};
use crate::probe::Failure;
use crate::topology::Instance;

/// What a resolver sets for its own session. It must see what was committed while it waited for
/// it; a lock is waited for again and again, so that nobody waits on when the resolver has gone.
const SETTINGS: &str = "SET default_transaction_isolation = 'read committed'; \
    SET default_transaction_read_only = off; SET synchronous_commit = on; \
    SET lock_timeout = '1s'";

impl Question {
    fn sql(&self) -> String {
        match self {
            Self::Marker(table, id) => table.resolve_sql(*id),
            Self::Transaction(id) => format!("SELECT pg_catalog.txid_status({id})"),
            Self::Create(table) => table.create_sql(),
            Self::Prune(table) => table.prune_sql(),
        }
    }
}

impl Cluster {
    /// Runs one statement; the first column of the first row is its answer.
    pub(super) async fn ask_postgres(
        &self,
        instance: &Instance,
        question: &Question,
        until: Instant,
    ) -> Result<Option<String>, Error> {
        let connect = async |deadline| self.connect_postgres(instance, deadline).await;
        let (client, _driver) = self.connect_in_turn(instance, until, connect).await?;
        let asked = self.until(until, async {
            client.batch_execute(SETTINGS).await?;
            first_column(&client, &question.sql()).await
        });
        asked.await.ok_or_else(no_answer)?.map_err(refused)
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
        return in_progress();
    }
    let kind = if stays { ErrorKind::Statement } else { ErrorKind::ConnectionLost };
    Error::new(kind, error.message())
}
