//! A connection to MySQL, and what ends it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::{Cluster, Error, ErrorKind, Instance, Outcome, OwnSocket};
use diesel::connection::InstrumentationEvent;
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Unsigned};
use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
};
use futures_util::StreamExt as _;

use super::end::{End, closed};
use super::refusal::{Refusal, is_plain, of_kind};
use super::rows::{Hand, MysqlRows};
use super::{Count, Load};
use crate::asynchronous::ahead::Ahead;
use crate::asynchronous::collect::Collected;
use crate::asynchronous::driver::sealed::{After, Condition, Diagnosis, Link, Loaded};

/// A connection that can be ended while somebody waits for it.
pub struct MysqlLink {
    /// None while rows of it are on their way. Never locked: the mutex makes the session `Sync`.
    connection: Mutex<Option<AsyncMysqlConnection>>,
    /// Where rows give it back.
    hand: Arc<Hand>,
    end: Arc<End>,
    /// The process's own view of the connection's socket, where it can have one.
    socket: Option<Arc<OwnSocket>>,
}

impl MysqlLink {
    fn new(connection: AsyncMysqlConnection, socket: Option<OwnSocket>) -> Self {
        Self {
            connection: Mutex::new(Some(connection)),
            hand: Arc::default(),
            end: Arc::default(),
            socket: socket.map(Arc::new),
        }
    }

    /// The connection and what ends it; fails when rows are still on their way.
    fn parts(&mut self) -> QueryResult<(&mut AsyncMysqlConnection, &End)> {
        let held = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = self.hand.take_connection();
        }
        held.as_mut().map(|connection| (connection, &*self.end)).ok_or_else(closed)
    }

    /// The connection, from which no instrumentation hears anything until one is set again.
    fn hidden(&mut self) -> QueryResult<(&mut AsyncMysqlConnection, &End)> {
        let (connection, end) = self.parts()?;
        connection.set_instrumentation(|_: InstrumentationEvent<'_>| ());
        Ok((connection, end))
    }

    /// What the server has refused its last statement with, and whether that has ended the
    /// transaction around it.
    async fn refusal(
        &mut self,
        error: &diesel::result::Error,
    ) -> QueryResult<Option<(Refusal, bool)>> {
        let (connection, end) = self.hidden()?;
        let asking = async {
            let asked = Refusal::ask(connection).await?;
            let Some(refusal) = asked.filter(|refusal| refusal.is_told_by(error)) else {
                return Ok(None);
            };
            let ends = refusal.ends_transaction(connection).await?;
            if ends {
                // Nothing of it may be open on the connection when others use it.
                connection.batch_execute("ROLLBACK").await?;
            }
            Ok(Some((refusal, ends)))
        };
        end.unless(asking).await
    }
}

impl Link<AsyncMysqlConnection> for MysqlLink {
    /// What diesel-async sets when it connects itself (the time zone, character sets) it sets here,
    /// too.
    async fn open(
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let (conn, socket) = cluster.connect_mysql(instance, deadline).await?;
        let prepared = cluster.until(deadline, AsyncMysqlConnection::try_from(conn));
        let (kind, text) = match prepared.await {
            Some(Ok(connection)) => return Ok(Self::new(connection, socket)),
            Some(Err(error)) => (ErrorKind::ConnectionLost, error.to_string()),
            None => (ErrorKind::Deadline, "it did not answer before the deadline".to_owned()),
        };
        Err(Error::new(kind, text).with_outcome(Outcome::NotApplied).on(instance.id()))
    }

    fn abort(&self) -> impl Fn() + Send + Sync + 'static {
        let (end, socket) = (Arc::clone(&self.end), self.socket.clone());
        move || {
            end.come();
            if let Some(socket) = &socket {
                socket.shut_down();
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.end.has_come() || self.socket.as_ref().is_some_and(|socket| socket.has_news())
    }

    fn connection(&mut self) -> Option<&mut AsyncMysqlConnection> {
        self.parts().ok().map(|(connection, _)| connection)
    }

    /// The driver says goodbye in a task of its own, and before that reads all that the server
    /// still owes, however long that takes.
    fn sever(&mut self) {
        if let Some(socket) = &self.socket {
            socket.shut_down();
        }
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        let (connection, end) = self.parts()?;
        end.unless(connection.batch_execute(sql)).await
    }

    async fn count(&mut self, query: &mut Collected<Mysql>, count: Count) -> QueryResult<usize> {
        let values = query.take_values();
        let (connection, end) = self.parts()?;
        end.unless(count(query, values, connection)).await
    }

    async fn load(
        &mut self,
        query: &mut Collected<Mysql>,
        load: Load,
        enough: usize,
    ) -> QueryResult<Loaded<AsyncMysqlConnection>> {
        self.parts()?;
        let held = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        let connection = held.take().ok_or_else(closed)?;
        let sent = (query.bare(), query.take_values(), load);
        let (hand, end) = (Arc::clone(&self.hand), Arc::clone(&self.end));
        let mut rows = MysqlRows::new(connection, sent, hand, end);
        let mut ahead = Ahead::default();
        while ahead.len() < enough {
            match rows.next().await {
                Some(Ok(row)) => ahead.push_back(row),
                Some(Err(error)) => {
                    // The connection comes back with the end.
                    while let Some(Ok(_)) = rows.next().await {}
                    return Err(error);
                }
                None => return Ok(Loaded { ahead, rest: None }),
            }
        }
        Ok(Loaded { ahead, rest: Some(rows.delivering()) })
    }

    async fn condition(&mut self) -> Condition {
        let Ok((connection, end)) = self.hidden() else { return Condition::Closed };
        match end.unless(connection.batch_execute("DO 0")).await {
            Ok(()) => Condition::Usable,
            Err(_) => Condition::Closed,
        }
    }

    /// The codes of the server decide, never its words.
    async fn diagnose(&mut self, error: diesel::result::Error, _ends: bool) -> Diagnosis {
        if self.end.has_come() {
            return Diagnosis::lost(error);
        }
        if is_plain(&error) {
            return Diagnosis::plain(error);
        }
        match self.refusal(&error).await {
            Err(_) => Diagnosis::lost(error),
            Ok(None) => Diagnosis::plain(error),
            Ok(Some((refusal, ends))) => {
                let trouble = refusal.trouble();
                let condition = match trouble {
                    Trouble::Lost | Trouble::NotSent => Condition::Closed,
                    _ => Condition::Usable,
                };
                let after = if ends { After::RolledBack } else { After::GoesOn };
                Diagnosis { error: of_kind(error, trouble), trouble, condition, after }
            }
        }
    }

    async fn insert_id(&mut self) -> QueryResult<u64> {
        let (connection, end) = self.hidden()?;
        let id = diesel::select(diesel::dsl::sql::<Unsigned<BigInt>>("LAST_INSERT_ID()"));
        end.unless(id.get_result(connection)).await
    }

    async fn set_insert_id(&mut self, id: u64) -> QueryResult<()> {
        let (connection, end) = self.hidden()?;
        let sql = format!("DO LAST_INSERT_ID({id})");
        end.unless(connection.batch_execute(&sql)).await
    }
}

impl Diagnosis {
    /// The connection is gone.
    fn lost(error: diesel::result::Error) -> Self {
        let (trouble, condition) = (Trouble::Lost, Condition::Closed);
        Self { error, trouble, condition, after: After::GoesOn }
    }

    /// It is the statement's own.
    fn plain(error: diesel::result::Error) -> Self {
        let (trouble, condition) = (Trouble::Statement, Condition::Usable);
        Self { error, trouble, condition, after: After::GoesOn }
    }
}

impl fmt::Debug for MysqlLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlLink")
            .field("has_ended", &self.end.has_come())
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
