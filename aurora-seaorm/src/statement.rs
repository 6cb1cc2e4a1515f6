//! A statement, and putting it to a physical connection.

use std::sync::atomic::{AtomicBool, Ordering};

use aurora_core::Family;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sea_orm::sea_query::Values;
use sea_orm::{DbErr, ExecResult, QueryResult};
use sea_query_sqlx::SqlxValues;
use tokio::sync::mpsc;

use crate::engine::{Done, Row};
use crate::errors;
use crate::held::{Condition, Held};

/// A statement of SeaORM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) values: Option<&'a Values>,
}

impl Statement<'_> {
    /// The values in the words of sqlx.
    pub(crate) fn values(&self) -> SqlxValues {
        SqlxValues(self.values.cloned().unwrap_or_else(|| Values(Vec::new())))
    }
}

impl<'a> From<&'a sea_orm::Statement> for Statement<'a> {
    fn from(statement: &'a sea_orm::Statement) -> Self {
        Self { sql: &statement.sql, values: statement.values.as_ref() }
    }
}

impl<'a> From<&'a str> for Statement<'a> {
    fn from(sql: &'a str) -> Self {
        Self { sql, values: None }
    }
}

/// What is wanted of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    All,
    Execute,
    One,
    /// Each row as it arrives.
    Stream(&'a Rows),
    /// As text, without preparing it: then it may be several statements.
    Unprepared,
}

/// Where the rows of a stream go.
#[derive(Debug)]
pub(crate) struct Rows {
    to: mpsc::Sender<Result<QueryResult, DbErr>>,
    /// Whether somebody has seen a row: then the statement must not be run again.
    delivered: AtomicBool,
}

impl Rows {
    pub(crate) fn new(to: mpsc::Sender<Result<QueryResult, DbErr>>) -> Self {
        Self { to, delivered: AtomicBool::new(false) }
    }

    /// Ends the stream, with an error if there was one.
    pub(crate) async fn end(&self, result: Result<Answer, sqlx::Error>) {
        if let Err(error) = result {
            // If nobody listens any more, nobody wants to know.
            let _ = self.to.send(Err(errors::query_err(error))).await;
        }
    }

    async fn deliver(&self, row: impl Into<QueryResult>) -> bool {
        self.delivered.store(true, Ordering::Relaxed);
        self.to.send(Ok(row.into())).await.is_ok()
    }
}

impl Ask<'_> {
    /// Whether the statement can be run again without anybody seeing a row twice.
    pub(crate) fn is_untouched(self) -> bool {
        match self {
            Self::Stream(rows) => !rows.delivered.load(Ordering::Relaxed),
            Self::All | Self::Execute | Self::One | Self::Unprepared => true,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Done),
    /// It did not have to be sent, or has told all there is.
    Nothing,
    Row(Option<Row>),
    Rows(Vec<Row>),
}

impl Answer {
    pub(crate) fn done(self, family: Family) -> ExecResult {
        match self {
            Self::Done(done) => done.into(),
            Self::Nothing | Self::Row(_) | Self::Rows(_) => Done::nothing(family).into(),
        }
    }

    pub(crate) fn row(self) -> Option<Row> {
        match self {
            Self::Row(row) => row,
            Self::Rows(rows) => rows.into_iter().next(),
            Self::Done(_) | Self::Nothing => None,
        }
    }

    pub(crate) fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Row(row) => row.into_iter().collect(),
            Self::Done(_) | Self::Nothing => Vec::new(),
        }
    }

    /// The number that the statement gave to the row that it inserted, if it did.
    pub(crate) fn insert_id(&self) -> Option<u64> {
        match self {
            Self::Done(done) => done.insert_id(),
            Self::Nothing | Self::Row(_) | Self::Rows(_) => None,
        }
    }
}

/// Puts the statement to the connection; dropping the future leaves the connection busy.
pub(crate) async fn put(
    statement: Statement<'_>,
    ask: Ask<'_>,
    held: &mut Held,
) -> Result<Answer, sqlx::Error> {
    held.set(Condition::Busy);
    let lost = held.lost();
    let (link, condition) = held.parts();
    tokio::select! {
        biased;
        answer = link.run(statement, ask, condition) => answer,
        () = lost.notified() => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::ConnectionAborted,
            "the instance was declared lost",
        ))),
    }
}

/// Sends rows on as they arrive. While one is waited for the connection is in the condition
/// `between`, once there has been one.
pub(crate) async fn stream<R: Into<QueryResult>>(
    mut rows: BoxStream<'_, Result<R, sqlx::Error>>,
    to: &Rows,
    condition: &mut Condition,
    between: Condition,
) -> Result<Answer, sqlx::Error> {
    while let Some(row) = rows.try_next().await? {
        // All is sent and the server answers: whoever comes next can read past the rest.
        *condition = Condition::Draining;
        if !to.deliver(row).await {
            return Ok(Answer::Nothing);
        }
        *condition = between;
    }
    *condition = Condition::Clean;
    Ok(Answer::Nothing)
}
