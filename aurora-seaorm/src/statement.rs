//! A statement, and putting it to a physical connection.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt as _;
use sea_orm::sea_query::Values;
use sea_orm::{DbErr, QueryResult};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Executor as _, Postgres};
use tokio::sync::mpsc;

use crate::errors;
use crate::held::{Condition, Held};

/// A statement of SeaORM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) values: Option<&'a Values>,
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

    async fn deliver(&self, row: PgRow) -> bool {
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
    Done(PgQueryResult),
    Row(Option<PgRow>),
    Rows(Vec<PgRow>),
}

impl Answer {
    pub(crate) fn done(self) -> PgQueryResult {
        match self {
            Self::Done(result) => result,
            Self::Row(_) | Self::Rows(_) => PgQueryResult::default(),
        }
    }

    pub(crate) fn row(self) -> Option<PgRow> {
        match self {
            Self::Row(row) => row,
            Self::Rows(rows) => rows.into_iter().next(),
            Self::Done(_) => None,
        }
    }

    pub(crate) fn rows(self) -> Vec<PgRow> {
        match self {
            Self::Rows(rows) => rows,
            Self::Row(row) => row.into_iter().collect(),
            Self::Done(_) => Vec::new(),
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
    tokio::select! {
        biased;
        answer = run(statement, ask, held) => answer,
        () = lost.notified() => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::ConnectionAborted,
            "the instance was declared lost",
        ))),
    }
}

async fn run(
    statement: Statement<'_>,
    ask: Ask<'_>,
    held: &mut Held,
) -> Result<Answer, sqlx::Error> {
    let (connection, condition) = held.parts();
    match ask {
        Ask::All => connection.fetch_all(query(statement)).await.map(Answer::Rows),
        Ask::Execute => connection.execute(query(statement)).await.map(Answer::Done),
        // Reads to the end of the statement: only then it is committed.
        Ask::One => connection.fetch_optional(query(statement)).await.map(Answer::Row),
        Ask::Stream(rows) => stream(statement, rows, connection, condition).await,
        Ask::Unprepared => {
            let text = sqlx::raw_sql(AssertSqlSafe(statement.sql));
            text.execute(connection).await.map(Answer::Done)
        }
    }
}

async fn stream(
    statement: Statement<'_>,
    to: &Rows,
    connection: &mut PgConnection,
    condition: &mut Condition,
) -> Result<Answer, sqlx::Error> {
    let mut rows = connection.fetch(query(statement));
    while let Some(row) = rows.try_next().await? {
        // All is sent and the server answers: whoever comes next can read past the rest.
        *condition = Condition::Draining;
        if !to.deliver(row).await {
            return Ok(Answer::Done(PgQueryResult::default()));
        }
    }
    *condition = Condition::Clean;
    Ok(Answer::Done(PgQueryResult::default()))
}

fn query(statement: Statement<'_>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    let values = statement.values.cloned().unwrap_or_else(|| Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}
