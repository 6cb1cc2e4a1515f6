//! MySQL and MariaDB: Diesel's `MysqlConnection` over the client library it is linked with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::transaction::{Evidence, RunOptions};
use aurora_core::{Cluster, Config, ErrorKind, Family, Instance, Login, OwnSocket, TlsMode};
use diesel::connection::{Connection, DefaultLoadingMode, LoadConnection, MultiConnectionHelper};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::mysql::{Mysql, MysqlConnection};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::result::{Error, QueryResult};

use self::rows::{Row, Rows};
use crate::connection::AuroraConnection;
use crate::intent::render;
use crate::manager::Physical;
use crate::manager::sealed::{self, Explained, Form, NotOpened, Proof};
use crate::recover::Statement;
use crate::socket;

mod errors;
mod proof;
mod rows;
mod transaction;
mod url;
mod words;

pub use self::transaction::TransactionBuilder;

impl Physical for MysqlConnection {}

impl sealed::Open for MysqlConnection {
    const FAMILY: Family = Family::MySql;
    type Memory = Inserted;

    /// Neither library can be told a time, a socket option or an address beside the name: the
    /// caller bounds the connect, and the socket is found when the server has told its port.
    fn open(
        cluster: &Cluster,
        instance: &Instance,
        login: &Login,
        _: Duration,
        _: u32,
    ) -> Result<Self, NotOpened> {
        let url = url::of(cluster, instance, login)?;
        let mut connection = Self::establish(&url).map_err(NotOpened::Refused)?;
        url::choose_database(&mut connection, cluster.config())?;
        Ok(connection)
    }

    fn refuses_login(message: &str) -> bool {
        words::refuses_login(message)
    }

    fn refusal(message: &str) -> Option<ErrorKind> {
        words::refusal(message)
    }

    fn prove(&mut self, cluster: &Cluster, instance: &Instance, _: u32) -> QueryResult<Proof> {
        let own = proof::ask(self, cluster)?;
        let config = cluster.config();
        if matches!(config.sslmode(), TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull)
            && !own.is_encrypted
        {
            return Err(words::not_encrypted());
        }
        let peer = instance.ip().map(|ip| SocketAddr::new(ip, instance.address().port()));
        let (socket, abort) = peer.map_or((None, None), |peer| {
            let (socket, abort) = bounded(peer, own.client_port, config);
            (socket, Some(abort))
        });
        // That it replicates from nobody is known by the monitor alone.
        let (takes_writes, identity) = (own.takes_writes, own.identity);
        Ok(Proof { takes_writes, is_proof: false, identity, abort, socket })
    }

    fn begin(session: &mut AuroraConnection<Self>, options: &RunOptions) -> QueryResult<()> {
        transaction::begin(session, options)
    }

    /// MySQL numbers no transaction for its client.
    fn own_evidence(session: &mut AuroraConnection<Self>, _: Instant) -> QueryResult<Evidence> {
        session.no_evidence()
    }

    fn explain(&mut self, error: Error, form: Form) -> Explained {
        errors::explain(self, error, form)
    }
}

/// The socket of the new connection to `peer`, which the server sees at `local_port`, if it is known,
/// and what ends the connection when its instance is lost. From here on the operating system bounds
/// it as well.
fn bounded(
    peer: SocketAddr,
    local_port: Option<u16>,
    config: &Config,
) -> (Option<Arc<OwnSocket>>, sealed::Abort) {
    let socket = OwnSocket::at_port(peer, local_port).map(Arc::new);
    OwnSocket::bound(peer, local_port, config);
    let time = config.tcp_user_timeout();
    let end_all = || -> sealed::Abort { Box::new(move || socket::end_all(peer, time)) };
    let abort = socket.clone().map_or_else(end_all, socket::shut_down);
    (socket, abort)
}

/// Where the session has written last: what `LAST_INSERT_ID()` tells is known there alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inserted {
    /// The connection that is leased.
    Here,
    /// One that was given up since.
    Elsewhere,
    /// It has not.
    #[default]
    Nowhere,
}

impl sealed::Memory for Inserted {
    fn wrote(&mut self, inserts: impl FnOnce() -> bool) {
        if *self != Self::Elsewhere || inserts() {
            *self = Self::Here;
        }
    }

    fn left(&mut self) {
        if *self == Self::Here {
            *self = Self::Elsewhere;
        }
    }

    fn has_left(&self) -> bool {
        *self == Self::Elsewhere
    }
}

/// Diesel's connection has all rows when this returns, and they are copied out of it: it is free
/// for others, and a failure can be run again.
impl LoadConnection<DefaultLoadingMode> for AuroraConnection<MysqlConnection> {
    type Cursor<'conn, 'query> = Rows;
    type Row<'conn, 'query> = Row;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Rows>
    where
        T: Query + QueryFragment<Mysql> + QueryId + 'query,
        Mysql: QueryMetadata<T::SqlType>,
    {
        let text = || render::<Mysql, T>(&source);
        let statement = Statement::of_query(self.classify(&source)?, &text);
        self.run(&statement, |connection| {
            Rows::collect(LoadConnection::<DefaultLoadingMode>::load(connection, &source)?)
        })
    }
}

/// `save_changes`: an UPDATE and the SELECT behind it, on the writer.
impl<Changes, Output> UpdateAndFetchResults<Changes, Output> for AuroraConnection<MysqlConnection>
where
    MysqlConnection: UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.once_on_writer(|connection| connection.update_and_fetch(changeset))
    }
}

impl MigrationConnection for AuroraConnection<MysqlConnection> {
    /// Makes the table of migrations, and keeps the session on the writer until check-in: which
    /// migrations were applied must not be asked of a reader that is behind.
    fn setup(&mut self) -> QueryResult<usize> {
        self.writer()?.setup()
    }
}

impl MultiConnectionHelper for AuroraConnection<MysqlConnection> {
    fn to_any<'a>(lookup: &mut ()) -> &mut (dyn std::any::Any + 'a) {
        lookup
    }

    fn from_any(lookup: &mut dyn std::any::Any) -> Option<&mut ()> {
        lookup.downcast_mut()
    }
}
