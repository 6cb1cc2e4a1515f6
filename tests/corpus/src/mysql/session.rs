//! A connection on which everything has a deadline.

use std::io;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Row};
use tokio::runtime::Runtime;

/// The longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What a server answered to a text.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The rows of all results, as text.
    pub(crate) rows: Vec<Vec<String>>,
    /// Whether there was a result with columns, with or without rows.
    pub(crate) is_result: bool,
    /// Number and words of the server's error.
    pub(crate) error: Option<(u16, String)>,
}

impl Answer {
    /// The first field; the empty string if there is none.
    pub(crate) fn value(&self) -> &str {
        self.rows.first().and_then(|row| row.first()).map_or("", String::as_str)
    }
}

/// A session; one that does not answer is lost.
pub(crate) struct Session<'a> {
    runtime: &'a Runtime,
    url: String,
    /// `None` after an answer that did not come: it could be taken for that of the next question.
    conn: Option<Conn>,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("url", &self.url).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    pub(crate) fn open(runtime: &'a Runtime, url: &str) -> io::Result<Self> {
        let conn = Some(connect(runtime, url)?);
        Ok(Self { runtime, url: url.to_owned(), conn })
    }

    /// Its number on the server; 0 while it is lost.
    pub(crate) fn id(&self) -> u32 {
        self.conn.as_ref().map_or(0, Conn::id)
    }

    /// Asks, in a new session if the last one was lost.
    ///
    /// # Errors
    /// When the connection is lost; an error of the server is an answer.
    pub(crate) fn ask(&mut self, sql: &str) -> io::Result<Answer> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(self.runtime, &self.url)?,
        };
        let asked = async { tokio::time::timeout(LIMIT, ask(&mut conn, sql)).await };
        let answer = match self.runtime.block_on(asked).map_err(io::Error::other)? {
            Ok(answer) => answer,
            Err(Error::Server(error)) => {
                Answer { error: Some((error.code, error.message)), ..Answer::default() }
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        self.conn = Some(conn);
        Ok(answer)
    }

    /// Asks what must not fail.
    pub(crate) fn must(&mut self, sql: &str) -> io::Result<Answer> {
        let answer = self.ask(sql)?;
        match &answer.error {
            Some((code, text)) => Err(io::Error::other(format!("{code} {text}: {sql}"))),
            None => Ok(answer),
        }
    }
}

fn connect(runtime: &Runtime, url: &str) -> io::Result<Conn> {
    let opts = Opts::from_url(url).map_err(io::Error::other)?;
    // On a loopback address the driver would change to the server's socket file.
    let opts: Opts = OptsBuilder::from_opts(opts).prefer_socket(false).into();
    let conn = runtime.block_on(async { tokio::time::timeout(LIMIT, Conn::new(opts)).await });
    conn.map_err(io::Error::other)?.map_err(io::Error::other)
}

async fn ask(conn: &mut Conn, sql: &str) -> Result<Answer, Error> {
    let mut results = conn.query_iter(sql).await?;
    let mut answer = Answer::default();
    loop {
        answer.is_result |= !results.columns_ref().is_empty();
        let rows: Vec<Row> = results.collect().await?;
        answer.rows.extend(rows.into_iter().map(texts));
        if results.is_empty() {
            results.drop_result().await?;
            return Ok(answer);
        }
    }
}

fn texts(row: Row) -> Vec<String> {
    let text = |value| match value {
        mysql_async::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        mysql_async::Value::NULL => "NULL".to_owned(),
        other => other.as_sql(true),
    };
    row.unwrap().into_iter().map(text).collect()
}
