//! PostgreSQL: Diesel's `PgConnection` over libpq.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::{Cluster, Deadline, ErrorKind, Instance, Login, Outcome};
use diesel::connection::{Connection, DefaultLoadingMode, LoadConnection};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::pg::{CopyFromQuery, Pg, PgConnection, PgRowByRowLoadingMode, TransactionBuilder};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::result::{ConnectionError, ConnectionResult, Error, QueryResult};
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::{ExecuteCopyFromDsl, QueryableByName, RunQueryDsl as _};

use self::conninfo::conninfo;
use self::rows::{Rows, Watch};
use crate::connection::AuroraConnection;
use crate::errors;
use crate::intent::render;
use crate::manager::{Physical, sealed};
use crate::recover::Statement;

mod conninfo;
mod notifications;
mod rows;
mod socket;
mod types;

impl Physical for PgConnection {}

impl sealed::Open for PgConnection {
    fn open(
        cluster: &Cluster,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
        mark: u32,
    ) -> ConnectionResult<Self> {
        let user_timeout = socket::marked(cluster.config(), mark);
        let text = conninfo(cluster, instance, login, timeout, user_timeout);
        let text = text.map_err(|error| {
            ConnectionError::BadConnection(format!("cannot write the root certificates: {error}"))
        })?;
        Self::establish(&text)
    }

    /// libpq gives text only: the words are those of PostgreSQL's `auth_failed` (28P01, 28000),
    /// and of its checks of the role.
    fn refuses_login(message: &str) -> bool {
        let has = |word: &str| message.contains(word);
        has("authentication failed for user")
            || has("no pg_hba.conf entry")
            || (has("FATAL:  role") && (has("does not exist") || has("is not permitted to log in")))
    }

    fn prove(
        &mut self,
        cluster: &Cluster,
        instance: &Instance,
        mark: u32,
    ) -> QueryResult<sealed::Proof> {
        let question = format!("{PROVE_SQL}, {} AS identity", cluster.identity_sql());
        let own: OwnWord = diesel::sql_query(question).get_result(self)?;
        let socket = instance.ip().and_then(|ip| {
            let sought = socket::Sought {
                peer: SocketAddr::new(ip, instance.address().port()),
                user_timeout: socket::marked(cluster.config(), mark),
                local_port: own.client_port.and_then(|port| u16::try_from(port).ok()),
            };
            socket::find(&sought)
        });
        let abort = socket.map(|socket| -> sealed::Abort { Box::new(move || socket.shut_down()) });
        Ok(sealed::Proof { is_writer: !own.recovering, identity: own.identity, abort })
    }
}

/// Asked of every new connection.
const PROVE_SQL: &str = "SELECT pg_catalog.pg_is_in_recovery() AS recovering, \
                         pg_catalog.inet_client_port() AS client_port";

/// The answer to [`PROVE_SQL`].
#[derive(QueryableByName)]
struct OwnWord {
    #[diesel(sql_type = Bool)]
    recovering: bool,
    #[diesel(sql_type = Nullable<Integer>)]
    client_port: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    identity: Option<String>,
}

impl LoadConnection<DefaultLoadingMode> for AuroraConnection<PgConnection> {
    type Cursor<'conn, 'query> =
        <PgConnection as LoadConnection<DefaultLoadingMode>>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> =
        <PgConnection as LoadConnection<DefaultLoadingMode>>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        let text = || render::<Pg, T>(&source);
        let statement = Statement::of_query(self.classify(&source)?, &text);
        // All rows are there when this returns: a failure before that can be run again.
        self.run(&statement, |connection| {
            LoadConnection::<DefaultLoadingMode>::load(connection, &source)
        })
    }
}

impl LoadConnection<PgRowByRowLoadingMode> for AuroraConnection<PgConnection> {
    type Cursor<'conn, 'query> = Rows<'conn, 'query>;
    type Row<'conn, 'query> =
        <PgConnection as LoadConnection<PgRowByRowLoadingMode>>::Row<'conn, 'query>;

    /// Rows are delivered as they arrive, so nothing is run again here.
    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Rows<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        let classification = self.classify(&source)?;
        let deadline = Deadline::of(self.cluster()).no_later_than(self.session.limit());
        let need = self.session.need(&classification, None, Instant::now);
        self.acquire(need, deadline)?;
        // The cursor borrows the connection: what follows from success is noted before.
        self.succeeded(&classification, deadline.began());
        self.used_at = deadline.began();
        let in_transaction = self.session.in_transaction();
        let Self { lease, shared, dirty, .. } = self;
        let Some(lease) = lease else { return Err(Error::BrokenTransactionManager) };
        let stats = Arc::clone(lease.stats());
        let running = stats.start(deadline.began());
        let mut watch = Watch {
            cluster: &shared.cluster,
            instance: lease.instance().clone(),
            epoch: lease.epoch(),
            stats: Arc::clone(&stats),
            dirty,
            is_harmless: in_transaction || classification.rerunnable(),
        };
        match LoadConnection::<PgRowByRowLoadingMode>::load(&mut **lease, source) {
            Ok(cursor) => {
                running.succeeded(Instant::now());
                Ok(Rows::new(cursor, watch))
            }
            Err(error) => Err(watch.failed(error)),
        }
    }
}

impl AuroraConnection<PgConnection> {
    /// Builds a transaction with an isolation level and an access mode, as
    /// [`PgConnection::build_transaction`] does.
    ///
    /// A `read_only()` transaction runs on a reader, unless it is `serializable()`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use diesel::prelude::*;
    /// # fn report(connection: &mut aurora_diesel::AuroraConnection<PgConnection>) -> QueryResult<()> {
    /// connection.build_transaction().repeatable_read().read_only().run(|connection| {
    ///     // Everything here sees the same snapshot, on the same reader.
    /// #   let _ = connection;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use = "a transaction builder does nothing until `run`"]
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_, Self> {
        TransactionBuilder::new(self)
    }

    /// Runs `work` on the physical writer connection, once: nobody can tell what it may repeat.
    fn once_on_writer<R>(
        &mut self,
        work: impl FnOnce(&mut PgConnection) -> Result<R, Error>,
    ) -> QueryResult<R> {
        let mut work = Some(work);
        let mut is_used_up = false;
        let classification = self.cluster().classify("UPDATE");
        let statement = Statement::of_text(classification, "UPDATE");
        let result = self.run(&statement, |connection| match work.take() {
            Some(work) => work(connection),
            None => {
                is_used_up = true;
                // Any error that recovery takes for the statement's own.
                Err(Error::RollbackTransaction)
            }
        });
        if is_used_up { Err(cannot_be_sent_again()) } else { result }
    }
}

/// The error for work that recovery would run again, because it certainly was not executed, but
/// that has been used up.
fn cannot_be_sent_again() -> Error {
    let text = "the writer refused it as read-only, or it never left: run it again";
    let error = aurora_core::Error::new(ErrorKind::ConnectionLost, text);
    errors::from_core(&error.with_outcome(Outcome::NotApplied))
}

/// `save_changes`: an UPDATE and what it returns, on the writer.
impl<Changes, Output> UpdateAndFetchResults<Changes, Output> for AuroraConnection<PgConnection>
where
    PgConnection: UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.once_on_writer(|connection| connection.update_and_fetch(changeset))
    }
}

#[cfg(feature = "r2d2")]
impl diesel::r2d2::R2D2Connection for AuroraConnection<PgConnection> {
    fn ping(&mut self) -> QueryResult<()> {
        self.drop_stale();
        Ok(())
    }

    fn is_broken(&mut self) -> bool {
        use diesel::connection::{AnsiTransactionManager, TransactionManager as _};
        AnsiTransactionManager::is_broken_transaction_manager(self)
    }
}

impl MigrationConnection for AuroraConnection<PgConnection> {
    /// Makes the table of migrations, and keeps the session on the writer until check-in: which
    /// migrations were applied must not be asked of a reader that is behind.
    fn setup(&mut self) -> QueryResult<usize> {
        self.writer()?.setup()
    }
}

/// `COPY … FROM STDIN` runs on the writer.
impl<T, A> ExecuteCopyFromDsl<AuroraConnection<PgConnection>> for CopyFromQuery<T, A>
where
    Self: ExecuteCopyFromDsl<PgConnection, Error = Error>,
{
    type Error = Error;

    fn execute(self, connection: &mut AuroraConnection<PgConnection>) -> Result<usize, Error> {
        connection.once_on_writer(|connection| ExecuteCopyFromDsl::execute(self, connection))
    }
}
