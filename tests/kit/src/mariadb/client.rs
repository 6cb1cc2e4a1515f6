//! A blocking connection under a deadline, for tests and for the kit itself.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};
use tokio::runtime::{Builder, Runtime};

use crate::{KitError, PASSWORD, guarded};

/// The longest wait for a connection or an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// One row of an answer, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    fields: Vec<(String, Option<String>)>,
}

impl Record {
    fn new(row: Row) -> Self {
        let names: Vec<String> =
            row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
        let texts = row.unwrap().into_iter().map(|value| match value {
            mysql_async::Value::NULL => None,
            mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => Some(other.as_sql(true)),
        });
        Self { fields: names.into_iter().zip(texts).collect() }
    }

    /// The text in this column, counted from 0; the empty string for `NULL` and beyond the last.
    #[must_use]
    pub fn at(&self, column: usize) -> &str {
        self.fields.get(column).and_then(|(_, text)| text.as_deref()).unwrap_or_default()
    }

    /// The text in the column of this name; the empty string for `NULL` and if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(own, _)| own == name);
        field.and_then(|(_, text)| text.as_deref()).unwrap_or_default()
    }

    /// All texts, in the order of the columns.
    pub fn texts(&self) -> impl Iterator<Item = Option<&str>> {
        self.fields.iter().map(|(_, text)| text.as_deref())
    }
}

/// A connection to one instance. Every call is given up after 10 s, and the connection with it.
///
/// It may be used anywhere, also inside an asynchronous runtime, which it then blocks.
#[derive(Debug)]
pub struct MariaDbClient {
    action: String,
    conn: Option<Conn>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl MariaDbClient {
    /// Connects.
    ///
    /// # Errors
    /// [`KitError::MySql`] when the server refuses, [`KitError::Deadline`] when it says nothing.
    pub(crate) fn connect(opts: Opts, name: &str) -> Result<Self, KitError> {
        let action = format!("ask {name}");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(KitError::io(action.as_str()))?;
        let mut client = Self { action, conn: None, runtime: Some(runtime) };
        client.conn = Some(client.block_on(Conn::new(opts))?);
        Ok(client)
    }

    /// The rows of the last result of a text, which may be several statements.
    ///
    /// # Errors
    /// [`KitError::MySql`] with the server's answer, [`KitError::Deadline`].
    pub fn query(&mut self, sql: &str) -> Result<Vec<Record>, KitError> {
        let Some(mut conn) = self.conn.take() else {
            return Err(KitError::Failed {
                action: self.action.clone(),
                detail: "the connection was given up".into(),
            });
        };
        let asked = self.block_on(async {
            let answer = all_results(&mut conn, sql).await;
            Ok((conn, answer))
        });
        // A deadline has dropped the connection: its answer may still come.
        let (conn, answer) = asked?;
        self.conn = Some(conn);
        let rows = answer.map_err(KitError::mysql(format!("{}: {sql}", self.action)))?;
        Ok(rows.into_iter().map(Record::new).collect())
    }

    /// The first column of all rows of the last result.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn column(&mut self, sql: &str) -> Result<Vec<String>, KitError> {
        Ok(self.query(sql)?.iter().map(|record| record.at(0).to_owned()).collect())
    }

    /// Runs a text for its effect.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn run(&mut self, sql: &str) -> Result<(), KitError> {
        self.query(sql).map(drop)
    }

    /// On a thread of its own: there a runtime may block whatever the caller is.
    fn block_on<T: Send>(
        &self,
        work: impl Future<Output = Result<T, mysql_async::Error>> + Send,
    ) -> Result<T, KitError> {
        let Some(runtime) = &self.runtime else { unreachable!("it is not being dropped") };
        let limited = async { tokio::time::timeout(LIMIT, work).await };
        let done = thread::scope(|scope| scope.spawn(|| runtime.block_on(limited)).join());
        let Ok(done) = done else { unreachable!("a query of the driver does not panic") };
        let late = |_| KitError::Deadline { what: self.action.clone(), limit: LIMIT };
        done.map_err(late)?.map_err(KitError::mysql(self.action.as_str()))
    }
}

impl Drop for MariaDbClient {
    fn drop(&mut self) {
        drop(self.conn.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a text to its end; the rows of its last result.
async fn all_results(conn: &mut Conn, sql: &str) -> Result<Vec<Row>, mysql_async::Error> {
    let mut results = conn.query_iter(sql).await?;
    let mut rows = results.collect().await?;
    while !results.is_empty() {
        rows = results.collect().await?;
    }
    // An error of the last statement is kept until then.
    results.drop_result().await?;
    Ok(rows)
}

/// How a role reaches a database of one instance.
pub(crate) fn opts(address: Ipv4Addr, port: u16, user: &str, database: Option<&str>) -> Opts {
    let opts = OptsBuilder::default()
        .ip_or_hostname(address.to_string())
        .tcp_port(port)
        .user(Some(user))
        .pass(Some(PASSWORD))
        .db_name(database)
        // On a loopback address the driver would change to the server's socket file.
        .prefer_socket(false);
    opts.into()
}

/// The kit's own session on an instance: opened when first asked, replaced when it is broken.
#[derive(Debug)]
pub(crate) struct Control {
    name: String,
    opts: Opts,
    client: Mutex<Option<MariaDbClient>>,
}

impl Control {
    pub(crate) fn new(name: String, address: Ipv4Addr, port: u16) -> Self {
        Self { name, opts: opts(address, port, "kit", None), client: Mutex::new(None) }
    }

    /// The rows of the last result of a text.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Record>, KitError> {
        let mut slot = guarded(&self.client);
        if let Some(mut kept) = slot.take() {
            match kept.query(sql) {
                Err(KitError::MySql { source, .. }) if source.is_fatal() => {}
                Err(error @ KitError::Deadline { .. }) => return Err(error),
                answer => {
                    *slot = Some(kept);
                    return answer;
                }
            }
        }
        let mut fresh = MariaDbClient::connect(self.opts.clone(), &self.name)?;
        let answer = fresh.query(sql);
        *slot = Some(fresh);
        answer
    }

    /// The first field of the first row; the empty string if there is none.
    pub(crate) fn field(&self, sql: &str) -> Result<String, KitError> {
        Ok(self.query(sql)?.first().map(|row| row.at(0).to_owned()).unwrap_or_default())
    }

    pub(crate) fn run(&self, sql: &str) -> Result<(), KitError> {
        self.query(sql).map(drop)
    }

    /// Drops the connection; its server is about to end.
    pub(crate) fn forget(&self) {
        drop(guarded(&self.client).take());
    }
}
