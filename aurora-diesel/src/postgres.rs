//! PostgreSQL: Diesel's `PgConnection` over libpq.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::transaction::{Evidence, RunOptions};
use aurora_core::{Cluster, Deadline, ErrorKind, Family, Instance, Login};
use diesel::connection::{AnsiTransactionManager, Connection, DefaultLoadingMode, LoadConnection};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::pg::{
    CopyFromQuery, Pg, PgConnection, PgMetadataCache, PgRowByRowLoadingMode, TransactionBuilder,
};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::{ExecuteCopyFromDsl, QueryableByName, RunQueryDsl as _};

use self::conninfo::conninfo;
use self::rows::{Rows, Watch};
use crate::connection::AuroraConnection;
use crate::intent::render;
use crate::manager::Physical;
use crate::manager::sealed::{self, NotOpened};
use crate::recover::Statement;
use crate::replay::txid_current_if_assigned;
use crate::{roots, socket};

mod conninfo;
mod notifications;
mod rows;
mod types;

impl Physical for PgConnection {}

/// The numbers of the user's types that were asked for through the session. A new writer may never
/// have seen the type that is remembered.
impl sealed::Memory for PgMetadataCache {
    fn lost(&mut self) {
        *self = Self::new();
    }
}

impl sealed::Open for PgConnection {
    const FAMILY: Family = Family::Postgres;
    type Memory = PgMetadataCache;

    fn open(
        cluster: &Cluster,
        instance: &Instance,
        login: &Login,
        timeout: Duration,
        mark: u32,
    ) -> Result<Self, NotOpened> {
        let user_timeout = socket::marked(cluster.config(), mark);
        let text = conninfo(cluster, instance, login, timeout, user_timeout);
        let text = text.map_err(|error| NotOpened::Refused(roots::unwritten(&error)))?;
        Self::establish(&text).map_err(NotOpened::Refused)
    }

    /// libpq gives text only: the words are those of PostgreSQL's `auth_failed` (28P01, 28000),
    /// and of its checks of the role.
    fn refuses_login(message: &str) -> bool {
        let has = |word: &str| message.contains(word);
        has("authentication failed for user")
            || has("no pg_hba.conf entry")
            || (has("FATAL:  role") && (has("does not exist") || has("is not permitted to log in")))
    }

    fn begin(session: &mut AuroraConnection<Self>, options: &RunOptions) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction_sql(session, &options.begin_sql())
    }

    fn own_evidence(session: &mut AuroraConnection<Self>, since: Instant) -> QueryResult<Evidence> {
        let id: Option<i64> = session.ask_in_transaction(|connection| {
            diesel::select(txid_current_if_assigned()).get_result(connection)
        })?;
        Ok(id.map_or(Evidence::NothingWritten, |id| Evidence::Transaction { id, since }))
    }

    fn refusal(message: &str) -> Option<ErrorKind> {
        refusal(message)
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
            socket::find(&sought).map(Arc::new)
        });
        let abort = socket.clone().map(socket::shut_down);
        let takes_writes = !own.recovering;
        Ok(sealed::Proof { takes_writes, is_proof: true, identity: own.identity, abort, socket })
    }
}

/// libpq gives text only, so this is a look at its words.
fn refusal(message: &str) -> Option<ErrorKind> {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["authentication failed for user", "no pg_hba.conf entry", "no password supplied"])
        || (has(&["FATAL:  role", "FATAL:  database"])
            && has(&["does not exist", "is not permitted to log in"]))
    {
        return Some(ErrorKind::Authentication);
    }
    if has(&["permission denied for database"]) {
        return Some(ErrorKind::Privilege);
    }
    if has(&["too many clients", "remaining connection slots", "too many connections"]) {
        return Some(ErrorKind::TooManyConnections);
    }
    if has(&[
        "certificate verify failed",
        "server does not support SSL",
        "does not match host name",
    ]) {
        return Some(ErrorKind::Tls);
    }
    None
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
